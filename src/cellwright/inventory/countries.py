"""Countries by name: English short names of ISO 3166-1, three-letter codes, and names in daily use.

Source of codes and English names: ISO 3166-1 as the United Nations publishes it (M49, Standard country or area codes);
beside them stand names in daily use, some in national languages.
"""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from cellwright.estate.documents.countries import COUNTRIES, SPOKEN

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES: Final = """
AD AND Andorra|AE ARE United Arab Emirates,UAE|AF AFG Afghanistan|AG ATG Antigua and Barbuda|AI AIA Anguilla
AL ALB Albania|AM ARM Armenia|AO AGO Angola|AQ ATA Antarctica|AR ARG Argentina|AS ASM American Samoa
AT AUT Austria,Oesterreich,Österreich|AU AUS Australia|AW ABW Aruba|AX ALA Aland Islands|AZ AZE Azerbaijan
BA BIH Bosnia and Herzegovina,Bosnia,Bosnia Herzegovina|BB BRB Barbados|BD BGD Bangladesh
BE BEL Belgium,Belgique,Belgie|BF BFA Burkina Faso|BG BGR Bulgaria|BH BHR Bahrain|BI BDI Burundi|BJ BEN Benin
BL BLM Saint Barthelemy|BM BMU Bermuda|BN BRN Brunei Darussalam,Brunei|BO BOL Bolivia,Bolivia Plurinational State of
BQ BES Bonaire Sint Eustatius and Saba,Bonaire|BR BRA Brazil,Brasil|BS BHS Bahamas,The Bahamas|BT BTN Bhutan
BV BVT Bouvet Island|BW BWA Botswana|BY BLR Belarus|BZ BLZ Belize|CA CAN Canada
CC CCK Cocos Keeling Islands,Cocos Islands|CD COD Democratic Republic of the Congo,DR Congo,Congo Kinshasa
CF CAF Central African Republic|CG COG Republic of the Congo,Congo Brazzaville|CH CHE Switzerland,Schweiz,Suisse
CI CIV Cote d'Ivoire,Ivory Coast|CK COK Cook Islands|CL CHL Chile|CM CMR Cameroon|CN CHN China,Mainland China
CO COL Colombia|CR CRI Costa Rica|CU CUB Cuba|CV CPV Cabo Verde,Cape Verde|CW CUW Curacao|CX CXR Christmas Island
CY CYP Cyprus|CZ CZE Czechia,Czech Republic,Cesko|DE DEU Germany,Deutschland|DJ DJI Djibouti|DK DNK Denmark,Danmark
DM DMA Dominica|DO DOM Dominican Republic|DZ DZA Algeria|EC ECU Ecuador|EE EST Estonia,Eesti|EG EGY Egypt
EH ESH Western Sahara|ER ERI Eritrea|ES ESP Spain,Espana|ET ETH Ethiopia|FI FIN Finland,Suomi|FJ FJI Fiji
FK FLK Falkland Islands,Malvinas|FM FSM Micronesia,Federated States of Micronesia|FO FRO Faroe Islands,Faeroe Islands
FR FRA France|GA GAB Gabon|GB GBR United Kingdom,Great Britain,Britain,England,Scotland,Wales,Northern Ireland
GB GBR United Kingdom of Great Britain and Northern Ireland|GD GRD Grenada|GE GEO Georgia|GF GUF French Guiana
GG GGY Guernsey|GH GHA Ghana|GI GIB Gibraltar|GL GRL Greenland|GM GMB Gambia,The Gambia|GN GIN Guinea
GP GLP Guadeloupe|GQ GNQ Equatorial Guinea|GR GRC Greece,Hellas,Ellada
GS SGS South Georgia and the South Sandwich Islands|GT GTM Guatemala|GU GUM Guam|GW GNB Guinea-Bissau|GY GUY Guyana
HK HKG Hong Kong,China Hong Kong SAR|HM HMD Heard Island and McDonald Islands|HN HND Honduras|HR HRV Croatia,Hrvatska
HT HTI Haiti|HU HUN Hungary,Magyarorszag|ID IDN Indonesia|IE IRL Ireland,Republic of Ireland,Eire|IL ISR Israel
IM IMN Isle of Man|IN IND India|IO IOT British Indian Ocean Territory|IQ IRQ Iraq
IR IRN Iran,Islamic Republic of Iran,Iran Islamic Republic of|IS ISL Iceland|IT ITA Italy,Italia|JE JEY Jersey
JM JAM Jamaica|JO JOR Jordan|JP JPN Japan|KE KEN Kenya|KG KGZ Kyrgyzstan|KH KHM Cambodia|KI KIR Kiribati
KM COM Comoros|KN KNA Saint Kitts and Nevis|KP PRK North Korea,Democratic People's Republic of Korea
KR KOR South Korea,Republic of Korea,Korea Republic of,Korea South|KW KWT Kuwait|KY CYM Cayman Islands
KZ KAZ Kazakhstan|LA LAO Laos,Lao People's Democratic Republic|LB LBN Lebanon|LC LCA Saint Lucia|LI LIE Liechtenstein
LK LKA Sri Lanka|LR LBR Liberia|LS LSO Lesotho|LT LTU Lithuania,Lietuva|LU LUX Luxembourg,Luxemburg
LV LVA Latvia,Latvija|LY LBY Libya,Libyan Arab Jamahiriya|MA MAR Morocco|MC MCO Monaco
MD MDA Moldova,Republic of Moldova,Moldova Republic of|ME MNE Montenegro|MF MAF Saint Martin|MG MDG Madagascar
MH MHL Marshall Islands|MK MKD North Macedonia,Macedonia,FYROM,Republic of Macedonia|ML MLI Mali|MM MMR Myanmar,Burma
MN MNG Mongolia|MO MAC Macao,Macau|MP MNP Northern Mariana Islands|MQ MTQ Martinique|MR MRT Mauritania
MS MSR Montserrat|MT MLT Malta|MU MUS Mauritius|MV MDV Maldives|MW MWI Malawi|MX MEX Mexico|MY MYS Malaysia
MZ MOZ Mozambique|NA NAM Namibia|NC NCL New Caledonia|NE NER Niger|NF NFK Norfolk Island|NG NGA Nigeria
NI NIC Nicaragua|NL NLD Netherlands,The Netherlands,Holland,Nederland|NO NOR Norway,Norge|NP NPL Nepal|NR NRU Nauru
NU NIU Niue|NZ NZL New Zealand|OM OMN Oman|PA PAN Panama|PE PER Peru|PF PYF French Polynesia|PG PNG Papua New Guinea
PH PHL Philippines|PK PAK Pakistan|PL POL Poland,Polska|PM SPM Saint Pierre and Miquelon|PN PCN Pitcairn
PR PRI Puerto Rico|PS PSE Palestine,State of Palestine,Palestinian Territory,Palestinian Territories|PT PRT Portugal
PW PLW Palau|PY PRY Paraguay|QA QAT Qatar|RE REU Reunion|RO ROU Romania|RS SRB Serbia,Republic of Serbia
RU RUS Russia,Russian Federation|RW RWA Rwanda|SA SAU Saudi Arabia|SB SLB Solomon Islands|SC SYC Seychelles
SD SDN Sudan|SE SWE Sweden,Sverige|SG SGP Singapore|SH SHN Saint Helena|SI SVN Slovenia,Slovenija
SJ SJM Svalbard and Jan Mayen,Svalbard|SK SVK Slovakia,Slovak Republic,Slovensko|SL SLE Sierra Leone|SM SMR San Marino
SN SEN Senegal|SO SOM Somalia|SR SUR Suriname|SS SSD South Sudan|ST STP Sao Tome and Principe|SV SLV El Salvador
SX SXM Sint Maarten|SY SYR Syria,Syrian Arab Republic|SZ SWZ Eswatini,Swaziland|TC TCA Turks and Caicos Islands
TD TCD Chad|TF ATF French Southern Territories|TG TGO Togo|TH THA Thailand|TJ TJK Tajikistan|TK TKL Tokelau
TL TLS Timor-Leste,East Timor|TM TKM Turkmenistan|TN TUN Tunisia|TO TON Tonga|TR TUR Turkey,Turkiye
TT TTO Trinidad and Tobago|TV TUV Tuvalu|TW TWN Taiwan,Taiwan Province of China
TZ TZA Tanzania,United Republic of Tanzania,Tanzania United Republic of|UA UKR Ukraine|UG UGA Uganda
UM UMI United States Minor Outlying Islands|US USA United States,United States of America,U.S.A.,U.S.,America
UY URY Uruguay|UZ UZB Uzbekistan|VA VAT Holy See,Vatican,Vatican City|VC VCT Saint Vincent and the Grenadines
VE VEN Venezuela,Venezuela Bolivarian Republic of|VG VGB British Virgin Islands
VI VIR United States Virgin Islands,US Virgin Islands|VN VNM Vietnam,Viet Nam|VU VUT Vanuatu|WF WLF Wallis and Futuna
WS WSM Samoa|XK XKX Kosovo|YE YEM Yemen|YT MYT Mayotte|ZA ZAF South Africa|ZM ZMB Zambia|ZW ZWE Zimbabwe
"""
_LETTERS: Final = re.compile(r"[^\w]+")


def _folded(text: str) -> str:
    words = re.sub(r"^st\.? ", "saint ", text.strip().replace("&", " and "), flags=re.IGNORECASE)
    decomposed = unicodedata.normalize("NFKD", words)
    return _LETTERS.sub("", "".join(c for c in decomposed if not unicodedata.combining(c))).casefold()


def _by_name() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for entry in _NAMES.replace("\n", "|").strip("|").split("|"):
        code, three, names = entry.split(" ", 2)
        found.update(dict.fromkeys(map(_folded, (three, *names.split(","))), code))
    return MappingProxyType(found)


_CODES: Final = _by_name()


def jurisdiction_of(text: str) -> str | None:
    """Return the ISO 3166-1 alpha-2 code of a country's name or code, or None for what is no country's."""
    code = text.strip().upper()
    return _CODES.get(_folded(text)) or (code if code in COUNTRIES else SPOKEN.get(code))
