"""Requests that people of an operator's network make, labelled simple or difficult: written for this, not collected.

Each kind is a text with slots. A kind is simple where one look at what is given answers it (a fact, a translation, an
extraction, a short text), difficult where several findings must be weighed, a cause found, or something built under
constraints. What goes around the question (a system text, turns before, log lines, a digest, tools) is drawn alike for
both, so that the length of all of it tells little.

Two sets are never trained on. The kinds of `UNSEEN_...` are such as people ask; they were written when the features
stood, but one setting (which cues are masked in training) was chosen with them in sight. The kinds of `CONTRARY_...`
came last and are against the grain: long questions with a plain answer, short ones with none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import random

SIMPLE: Final = (
    "What does {term} stand for?",
    "Which port does {protocol} use?",
    "Translate into {language}: the {element} at {place} will be restarted at {hour}:00.",
    "List the elements named in the lines below.",
    "Is {element} in service? Answer yes or no.",
    "Summarise the text below in one sentence.",
    "Give me a title for this ticket: {symptom} at {place} since {hour}:00.",
    "Convert {number} Mbit/s to Gbit/s.",
    "What unit is {counter} reported in?",
    "Extract all IP addresses from the lines below, one a line.",
    "How many of the lines below are of severity critical?",
    "Rewrite politely: fix {element} now, customers at {place} are angry.",
    "Define {term} in a sentence for a new colleague.",
    "Which of these is a 5G core function: {element}, UPF, printer?",
    "Label the ticket as radio, transport or core: {symptom} on {element}.",
    "Format the list below as a table with columns time and element.",
    "Who is on call at {place} according to the note below?",
    "When did the first alarm of {element} come in?",
    "Correct the spelling: the {element} loosed its conection to the cor.",
    "Name the capital of the country where {place} lies.",
    "Say in ten words what happened to {element}.",
    "Count the distinct sites in the lines below.",
    "Expand the abbreviation {term} as 3GPP uses it.",
    "Thank the customer of ticket {number} and say that it is closed.",
    "What is the default value of {counter}?",
    "Turn this into a bullet list: {element} down, {element} degraded, {place} on battery.",
    "Repeat the last line without its time stamp.",
    "Is {number} a valid VLAN identifier?",
    "Hi! Could you tell me the meaning of cause code {number}?",
    "Put the following into {language} please: planned work at {place} is finished.",
    "Give only the names of the cells in the message below.",
    "What time zone is {place} in?",
    "Write a short greeting for the shift handover.",
    "From the log below, what is the address of {element}?",
    "Fill in the form: site = {place}, element = {element}, time = {hour}:15. Return JSON.",
    "Does the text below mention {element}?",
    "Round these to whole numbers: {number}.{hour}, {hour}.{number}.",
    "Make the paragraph below half as long.",
    "What colour is a critical alarm usually shown in?",
    "Look up the vendor of {element} in the inventory lines below.",
    "Sort these sites alphabetically: {place}, Oslo, Athens.",
    "What is {number} times {hour}?",
)
DIFFICULT: Final = (
    "Why does {symptom} appear at {place} only between {hour} and {number} o'clock, and what would you check first?",
    "Design a rollout of the new {term} software over {number} sites that never takes two neighbours down at once.",
    "The lines below come from four systems. Which failure caused the others? Justify the order of events.",
    "Compare moving {function} to the edge with keeping it central: latency, cost, operation. Recommend one.",
    "Find the root cause of {symptom} and name the evidence for and against each hypothesis.",
    "Write a Python function that joins the alarms below with the topology and returns the smallest set of suspects.",
    "We have {number} GPUs at {place} and three models to serve with p99 under {hour} ms. Plan the placement.",
    "Prove that the schedule below cannot keep every maintenance window, or give one that does.",
    "Explain how a failing clock at {element} could lead to {symptom} two hops away, step by step.",
    "Estimate what an outage of {element} costs per hour, stating every assumption you make.",
    "Two reports disagree on when {element} failed. Reconcile them with the log below.",
    "Derive thresholds for {counter} from the series below so that at most one alarm a week is false.",
    "Which of the changes of last night explains the drop of {counter}, and which can be ruled out, and why?",
    "Propose how to split {function} between {place} and the region if subscriber data must not leave the country.",
    "Write SQL that shows for each site the hours in which {counter} fell below its own median of the week before.",
    "Draft a recovery plan for a loss of {place}: the order of restarts, who decides, what may go wrong at each step.",
    "Assess whether the alarms below are one incident or several, and what would change your mind.",
    "Optimise the order in which {number} technicians visit the sites below, given their skills and the traffic.",
    "Our handover success fell after the neighbour lists changed. Investigate and propose a test for each hypothesis.",
    "Refactor the script below so that it survives a restart of the database, and explain each change.",
    "What are the consequences for {function} if {element} is replaced while the link to {place} runs at {number} %?",
    "Rank the causes of {symptom} by likelihood, using the digest below, and explain the first three.",
    "Evaluate this tender against the requirements below and point out every contradiction.",
    "Predict next month's load of {element} from the figures below and say how sure you are.",
    "Which sites should get batteries first if the budget is {number} thousand euros? Show the trade-off.",
    "Diagnose the interplay of {symptom} and the congestion at {place}; each team blames the other.",
    "Develop an algorithm that finds loops in the routing tables below in linear time.",
    "Is it riskier to patch {element} today or to wait for the window? Argue both sides, then decide.",
    "Customers near {place} lose calls when trains pass. Work out what is going on and how to be certain.",
    "Here is our configuration and the one of the neighbour. What keeps the session from coming up?",
    "Create a test plan for the failover of {function}, covering partial failures and their combinations.",
    "Something eats the memory of {element} over {number} days. What do the counters below say about it?",
    "Build me a regular expression and a parser for the format below that reject every malformed line.",
    "Our energy bill at {place} rose by {number} % while traffic fell. Find explanations and how to tell them apart.",
    "Can the three contracts below be fulfilled with the capacity of {place}? Show your reasoning.",
    "Suggest which alarms to suppress so that operators see half as many but miss nothing that matters.",
    "The model of last week says {number} %, the one of today {hour} %. Which one should we trust?",
    "Sketch the architecture of a service that answers from logs without letting identities leave the site.",
    "Turn this post-mortem into a list of contributing factors and the interactions between them.",
    "Under which conditions would moving {function} to {place} break the agreement with the regulator?",
    "Write the migration of the alarm table below to the new schema with no downtime.",
    "How should we choose between more spectrum and more sites for {place} over the next five years?",
)
UNSEEN_SIMPLE: Final = (
    "Any open tickets for {place} in the text below?",
    "Please answer this mail with a friendly confirmation.",
    "Which day of the week was 12 May 2026?",
    "Shorten to a text message: {element} is back, thank you for waiting.",
    "Give the long form of {term}.",
    "How many hours are {number} minutes?",
    "What does the status code in the last line say?",
    "Read the serial number out of the note below.",
    "Is {protocol} encrypted, yes or no?",
    "Spell {place} in the phonetic alphabet.",
    "Who wrote the message below?",
    "Change all time stamps below to UTC+2.",
    "In which of the lines below does {counter} occur?",
    "Write the subject line for a mail about {symptom}.",
    "What is the opposite of uplink?",
    "Add a comma where it is missing: {element} {place} {symptom}.",
)
UNSEEN_DIFFICULT: Final = (
    "Every night at {hour} the same three sites drop out, yet nothing is scheduled. What might be behind it?",
    "Help me convince the board: is {function} at {place} worth its price over four years?",
    "The vendor says the fault is ours, the carrier says it is the vendor's. Who is right, going by the lines below?",
    "Put together a training exercise in which {element} fails in a way the team has not met before.",
    "Model the queue at {element} as traffic grows by {number} % a year and tell when it overflows.",
    "Untangle the alarms below: group them, order them in time and point at the one that started it.",
    "Our model of {counter} got worse after the upgrade. Lay out an experiment that separates the two reasons.",
    "Merge the two inventories below where names differ, and list what remains unclear and what to ask whom.",
    "How would you detect {symptom} an hour before customers notice, with the counters we have?",
    "Negotiating with the landlord of {place}: which concessions cost us least, and in which order do we offer them?",
    "Given the links below, find a set of routes that survives any single cut at the lowest cost.",
    "Rewrite the monitoring of {place} so that one broken collector cannot hide an outage, and say what it takes.",
    "The new rule forbids {function} outside the country. What has to move, what can stay, what breaks?",
    "Attach rates fell in the north and rose in the south on the same day. Coincidence?",
    "Code a simulation of {number} cells that share one backhaul and report where it saturates.",
    "Tell me what you would ask the night shift to find out if {element} was misconfigured or attacked.",
)
CONTRARY_SIMPLE: Final = (  # every other one longer than most difficult ones
    "What is the maximum length of {protocol} messages?",
    "I am new here and people keep saying {term} in every meeting, so before I ask in front of everybody: what is it?",
    "Remove the second column.",
    "The text below came from a colleague who left last year and nobody has read it since; what language is it in?",
    "Next leap year?",
    "We are about to print the label for the rack at {place}, and all we need is the name of {element} in capitals.",
    "Is {place} north of Vienna?",
    "Below you see what the probe wrote during the night while we were asleep; please copy its last line here.",
    "Quote the sentence about {element}.",
    "Since the form has only one field left, and it asks for a number: how many bits are there in a byte?",
    "Reply with OK.",
    "Could you be so kind as to write {number} in words, as our bank wants it on the cheque for the site at {place}?",
)
CONTRARY_DIFFICULT: Final = (  # every other one as short as most simple ones
    "Why only on Mondays?",
    "The rectifier at {place} was replaced, then {symptom} began, then stopped by itself; reconstruct what happened.",
    "Is {element} the culprit or the victim?",
    "Where can we save {number} thousand euros without anybody noticing, and what would we regret in a year?",
    "Invent a better alarm for {symptom}.",
    "Given these two captures, find the first packet where the peers stop agreeing and what each believes then.",
    "Disprove that {counter} drives {symptom}.",
    "Set up the capacity of {function} for a festival of which nobody knows how many people will come.",
    "Untie this dependency knot.",
    "Four people saw four different screens when {element} went down; fit their accounts together, mark the gaps.",
    "What are we not seeing?",
    "Combine the forecasts below into one, weighing how wrong each has been, and tell how far to trust it.",
)

_SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "term": ("AMF", "PFCP", "N3IWF", "MIMO", "QoS flow", "BGP", "PTP", "O-RAN", "NRF", "slice"),
    "protocol": ("GTP-U", "SCTP", "BGP", "NETCONF", "syslog over TLS", "SNMP traps"),
    "language": ("Italian", "German", "French", "Polish", "Greek"),
    "element": ("gNB-1042", "UPF-3", "router edge-7", "AMF-2", "switch tor-11", "du-0815", "OLT-19", "rectifier 4"),
    "place": ("Napoli", "Roma Tiburtina", "Graz", "Gdansk", "Porto", "the metro ring", "Tampere", "Brno"),
    "symptom": ("packet loss", "call drops", "synchronisation faults", "slow attach", "power alarms", "link flaps"),
    "counter": ("RRC.ConnEstabSucc", "DRB.UEThpDl", "ifInErrors", "the paging rate", "CPU load", "PRB usage"),
    "function": ("retrieval", "the alarm filter", "speech recognition", "slice control", "anomaly detection"),
}
_SYSTEM: Final = (
    "You are an assistant of a network operations centre. Be brief and exact.",
    (
        "You help engineers of a mobile operator. Never invent figures; say what you do not know. Keep to the facts "
        "given and to the instructions of the operator, and answer in English unless asked in another language."
    ),
)
_EARLIER: Final = ("Good morning.", "Thanks. And the other one?", "Let us look at {place} now.", "That was helpful.")
_LINE: Final = (
    "2026-05-{day:02} {hour:02}:{minute:02}:07 {element} LINK_DOWN port 1/0/{minute} peer lost",
    "2026-05-{day:02} {hour:02}:{minute:02}:41 {element} ALARM severity=critical cause={symptom}",
    "2026-05-{day:02} {hour:02}:{minute:02}:53 {element} 10.{day}.{hour}.{minute} {counter}={number}",
)


def request(kind: str, chance: random.Random) -> dict[str, Any]:
    """Return a chat request of a kind with everything around it drawn."""
    text = filled(kind, chance)
    attached = chance.choice(("", "", "lines", "digest"))
    if attached or "below" in kind:
        lines = _digest(chance) if attached == "digest" else [_line(chance) for _ in range(chance.randint(3, 60))]
        between = chance.choice(("\n\n", "\n```\n", "\n---\n"))
        text = chance.choice((f"{text}{between}{chr(10).join(lines)}", f"{chr(10).join(lines)}{between}{text}"))
    messages = [{"role": "system", "content": chance.choice(_SYSTEM)}] if chance.random() < 0.6 else []  # noqa: PLR2004
    for _ in range(chance.choice((0, 0, 0, 1, 2, 4))):
        messages.append({"role": "user", "content": filled(chance.choice(_EARLIER), chance)})
        messages.append({"role": "assistant", "content": filled("Noted for {element}.", chance)})
    messages.append({"role": "user", "content": text})
    body: dict[str, Any] = {"model": "auto", "messages": messages}
    if chance.random() < 0.2:  # noqa: PLR2004 - a fifth
        body["tools"] = [{"type": "function"}] * chance.randint(1, 6)
    return body


def filled(kind: str, chance: random.Random) -> str:
    """Return the text of a kind with its slots drawn."""
    slots = {name: chance.choice(values) for name, values in _SLOTS.items()}
    return kind.format(**slots, number=chance.randint(2, 400), hour=chance.randint(1, 23))


def _line(chance: random.Random) -> str:
    slots = {name: chance.choice(values) for name, values in _SLOTS.items()}
    numbers = {"day": chance.randint(1, 28), "minute": chance.randint(0, 59), "number": chance.randint(0, 9999)}
    return chance.choice(_LINE).format(**slots, **numbers, hour=chance.randint(0, 23))


def _digest(chance: random.Random) -> list[str]:
    lines = []
    for number in range(chance.randint(1, 4)):
        lines.append(f"incident {number + 1} of {chance.randint(10, 900)} alarms")
        lines += [f"  {_line(chance)}" for _ in range(chance.randint(2, 20))]
    return lines
