"""What a VES 7.x event may hold (ONAP VES Event Listener 7.2.1): the header and the domains that are looked into.

What 5.x and 6.x said otherwise is in `ves_editions`; their events become records of these types.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Struct

from cellwright.telemetry.formats.instants import LAST_US

Epoch = Annotated[int, msgspec.Meta(ge=0, le=LAST_US)] | Annotated[float, msgspec.Meta(ge=0, le=LAST_US)]
Number = int | float
TextMap = dict[str, str]
Severity = Literal["CRITICAL", "MAJOR", "MINOR", "WARNING", "NORMAL"]


class Header(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The commonEventHeader of every event."""

    domain: Literal[
        "fault",
        "heartbeat",
        "measurement",
        "mobileFlow",
        "notification",
        "other",
        "perf3gpp",
        "pnfRegistration",
        "sipSignaling",
        "stateChange",
        "stndDefined",
        "syslog",
        "thresholdCrossingAlert",
        "voiceQuality",
    ]
    event_id: str
    event_name: str
    last_epoch_microsec: Epoch
    priority: Literal["High", "Medium", "Normal", "Low"]
    reporting_entity_name: str
    sequence: int
    source_name: str
    start_epoch_microsec: Epoch
    version: Literal["4.0", "4.0.1", "4.1"]
    ves_event_listener_version: Literal["7.0", "7.0.1", "7.1", "7.1.1", "7.2", "7.2.1"]
    event_type: str | None = None
    internal_header_fields: dict[str, Any] | None = None
    nfc_naming_code: str | None = None
    nf_naming_code: str | None = None
    nf_vendor_name: str | None = None
    reporting_entity_id: str | None = None
    source_id: str | None = None
    stnd_defined_namespace: str | None = None
    time_zone_offset: str | None = None


class Fault(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The faultFields of a fault."""

    alarm_condition: str
    event_severity: Severity
    event_source_type: str
    fault_fields_version: Literal["4.0"]
    specific_problem: str
    vf_status: Literal["Active", "Idle", "Preparing to terminate", "Ready to terminate", "Requesting termination"]
    alarm_additional_information: TextMap = {}
    alarm_interface_a: str | None = msgspec.field(default=None, name="alarmInterfaceA")
    event_category: str | None = None


class Crossing(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """One counter beyond its threshold."""

    criticality: Literal["CRIT", "MAJ"]
    hash_map: TextMap
    threshold_crossed: str


class ThresholdCrossingAlert(
    Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"
):
    """The thresholdCrossingAlertFields of a threshold crossing."""

    additional_parameters: list[Crossing]
    alert_action: Literal["CLEAR", "CONT", "SET"]
    alert_description: str
    alert_type: Literal["CARD-ANOMALY", "ELEMENT-ANOMALY", "INTERFACE-ANOMALY", "SERVICE-ANOMALY"]
    collection_timestamp: str
    event_severity: Severity
    event_start_timestamp: str
    threshold_crossing_fields_version: Literal["4.0"]
    additional_fields: TextMap = {}
    alert_value: str | None = None
    associated_alert_id_list: list[str] = []
    data_collector: str | None = None
    element_type: str | None = None
    interface_name: str | None = None
    network_service: str | None = None
    possible_root_cause: str | None = None


class Syslog(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The syslogFields of a log record."""

    event_source_type: str
    syslog_fields_version: Literal["4.0"]
    syslog_msg: str
    syslog_tag: str
    additional_fields: TextMap = {}
    event_source_host: str | None = None
    syslog_facility: int | None = None
    syslog_msg_host: str | None = None
    syslog_pri: int | None = None
    syslog_proc: str | None = None
    syslog_proc_id: Number | None = None
    syslog_s_data: str | None = None
    syslog_sd_id: str | None = None
    syslog_sev: Literal["Alert", "Critical", "Debug", "Emergency", "Error", "Info", "Notice", "Warning"] | None = None
    syslog_ts: str | None = None
    syslog_ver: Number | None = None


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The heartbeatFields of a sign of life."""

    heartbeat_fields_version: Literal["3.0"]
    heartbeat_interval: int
    additional_fields: TextMap = {}


class Registration(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The pnfRegistrationFields of a network function that announces itself."""

    pnf_registration_fields_version: Literal["2.0", "2.1"]
    additional_fields: TextMap = {}
    last_service_date: str | None = None
    mac_address: str | None = None
    manufacture_date: str | None = None
    model_number: str | None = None
    oam_v4_ip_address: str | None = None
    oam_v6_ip_address: str | None = None
    serial_number: str | None = None
    software_version: str | None = None
    unit_family: str | None = None
    unit_type: str | None = None
    vendor_name: str | None = None


class StandardDefined(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The stndDefinedFields that carry another standard's notification."""

    data: dict[str, Any]
    stnd_defined_fields_version: Literal["1.0"]
    schema_reference: str | None = None


Entries = list[dict[str, Any]]


class Measurement(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """The measurementFields; what single entries hold is left to vendors and later minor versions."""

    measurement_interval: Number
    measurement_fields_version: Literal["4.0"]
    additional_fields: TextMap = {}
    additional_measurements: Entries = []
    additional_objects: Entries = []
    codec_usage_array: Entries = []
    concurrent_sessions: int | None = None
    configured_entities: int | None = None
    cpu_usage_array: Entries = []
    disk_usage_array: Entries = []
    feature_usage_array: TextMap = {}
    filesystem_usage_array: Entries = []
    huge_pages_array: Entries = []
    ipmi: dict[str, Any] = {}
    latency_distribution: Entries = []
    load_array: Entries = []
    machine_check_exception_array: Entries = []
    mean_request_latency: Number | None = None
    memory_usage_array: Entries = []
    nfc_scaling_metric: int | None = None
    nic_performance_array: Entries = []
    number_of_media_ports_in_use: int | None = None
    process_stats_array: Entries = []
    request_rate: Number | None = None


Block = dict[str, Any]


class Event(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """One event; the block of its own domain is checked in a second step, others are only objects."""

    common_event_header: Header
    fault_fields: Block | None = None
    heartbeat_fields: Block | None = None
    measurement_fields: Block | None = None
    mobile_flow_fields: Block | None = None
    notification_fields: Block | None = None
    other_fields: Block | None = None
    perf3gpp_fields: Block | None = msgspec.field(default=None, name="perf3gppFields")
    pnf_registration_fields: Block | None = None
    sip_signaling_fields: Block | None = None
    state_change_fields: Block | None = None
    stnd_defined_fields: Block | None = None
    syslog_fields: Block | None = None
    threshold_crossing_alert_fields: Block | None = None
    voice_quality_fields: Block | None = None


class PlainEvent(Struct, frozen=True, forbid_unknown_fields=True, gc=False, omit_defaults=True, rename="camel"):
    """An event whose blocks are right, and which has no block that is not looked into."""

    common_event_header: Header
    fault_fields: Fault | None = None
    heartbeat_fields: Heartbeat | None = None
    measurement_fields: Block | None = None
    pnf_registration_fields: Registration | None = None
    stnd_defined_fields: StandardDefined | None = None
    syslog_fields: Syslog | None = None
    threshold_crossing_alert_fields: ThresholdCrossingAlert | None = None


# What an entry of these lists must say, ONAP VES Event Listener 7.2.1, 4.3 (measurement datatypes).
REQUIRED_MEMBERS: Final = MappingProxyType(
    {
        "additional_measurements": ("name", "hashMap"),
        "additional_objects": ("objectName", "objectInstances"),
        "codec_usage_array": ("codecIdentifier", "numberInUse"),
        "cpu_usage_array": ("cpuIdentifier", "percentUsage"),
        "disk_usage_array": ("diskIdentifier",),
        "filesystem_usage_array": (
            "filesystemName",
            *(f"{kind}{member}" for kind in ("block", "ephemeral") for member in ("Configured", "Iops", "Used")),
        ),
        "huge_pages_array": ("hugePagesIdentifier",),
        "latency_distribution": ("countsInTheBucket",),
        "machine_check_exception_array": ("vmIdentifier",),
        "memory_usage_array": ("vmIdentifier", "memoryFree", "memoryUsed"),
        "nic_performance_array": ("nicIdentifier", "valuesAreSuspect"),
        "process_stats_array": ("processIdentifier",),
    }
)
