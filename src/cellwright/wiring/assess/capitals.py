"""Where a network probably is: capitals as a first guess for coordinates, and currencies, by country."""

from __future__ import annotations

from typing import Final

from cellwright.estate.model import Location

_CAPITALS: Final = """
AD Andorra 42.5 1.5|AE Abu-Dhabi 24.5 54.4|AL Tirana 41.3 19.8|AM Yerevan 40.2 44.5|AO Luanda -8.8 13.2
AR Buenos-Aires -34.6 -58.4|AT Vienna 48.2 16.4|AU Canberra -35.3 149.1|AZ Baku 40.4 49.9|BA Sarajevo 43.9 18.4
BD Dhaka 23.8 90.4|BE Brussels 50.8 4.4|BG Sofia 42.7 23.3|BH Manama 26.2 50.6|BO La-Paz -16.5 -68.1
BR Brasilia -15.8 -47.9|BW Gaborone -24.7 25.9|BY Minsk 53.9 27.6|CA Ottawa 45.4 -75.7|CD Kinshasa -4.3 15.3
CH Bern 46.9 7.4|CI Abidjan 5.3 -4.0|CL Santiago -33.4 -70.7|CM Yaounde 3.9 11.5|CN Beijing 39.9 116.4
CO Bogota 4.7 -74.1|CR San-Jose 9.9 -84.1|CY Nicosia 35.2 33.4|CZ Prague 50.1 14.4|DE Berlin 52.5 13.4
DK Copenhagen 55.7 12.6|DO Santo-Domingo 18.5 -69.9|DZ Algiers 36.8 3.1|EC Quito -0.2 -78.5|EE Tallinn 59.4 24.8
EG Cairo 30.0 31.2|ES Madrid 40.4 -3.7|ET Addis-Ababa 9.0 38.7|FI Helsinki 60.2 24.9|FJ Suva -18.1 178.4
FR Paris 48.9 2.4|GB London 51.5 -0.1|GE Tbilisi 41.7 44.8|GH Accra 5.6 -0.2|GR Athens 38.0 23.7
GT Guatemala 14.6 -90.5|HK Hong-Kong 22.3 114.2|HR Zagreb 45.8 16.0|HU Budapest 47.5 19.0|ID Jakarta -6.2 106.8
IE Dublin 53.3 -6.3|IL Jerusalem 31.8 35.2|IN New-Delhi 28.6 77.2|IQ Baghdad 33.3 44.4|IS Reykjavik 64.1 -21.9
IT Rome 41.9 12.5|JO Amman 31.9 35.9|JP Tokyo 35.7 139.7|KE Nairobi -1.3 36.8|KH Phnom-Penh 11.6 104.9
KR Seoul 37.6 127.0|KW Kuwait 29.4 48.0|KZ Astana 51.2 71.4|LB Beirut 33.9 35.5|LI Vaduz 47.1 9.5
LK Colombo 6.9 79.9|LT Vilnius 54.7 25.3|LU Luxembourg 49.6 6.1|LV Riga 56.9 24.1|MA Rabat 34.0 -6.8
MC Monaco 43.7 7.4|MD Chisinau 47.0 28.9|ME Podgorica 42.4 19.3|MG Antananarivo -18.9 47.5|MK Skopje 42.0 21.4
MM Naypyidaw 19.8 96.1|MN Ulaanbaatar 47.9 106.9|MT Valletta 35.9 14.5|MU Port-Louis -20.2 57.5
MX Mexico-City 19.4 -99.1|MY Kuala-Lumpur 3.1 101.7|MZ Maputo -26.0 32.6|NA Windhoek -22.6 17.1|NG Abuja 9.1 7.5
NL Amsterdam 52.4 4.9|NO Oslo 59.9 10.8|NP Kathmandu 27.7 85.3|NZ Wellington -41.3 174.8|OM Muscat 23.6 58.4
PA Panama 9.0 -79.5|PE Lima -12.0 -77.0|PH Manila 14.6 121.0|PK Islamabad 33.7 73.1|PL Warsaw 52.2 21.0
PT Lisbon 38.7 -9.1|PY Asuncion -25.3 -57.6|QA Doha 25.3 51.5|RO Bucharest 44.4 26.1|RS Belgrade 44.8 20.5
RU Moscow 55.8 37.6|RW Kigali -1.9 30.1|SA Riyadh 24.7 46.7|SE Stockholm 59.3 18.1|SG Singapore 1.3 103.8
SI Ljubljana 46.1 14.5|SK Bratislava 48.1 17.1|SN Dakar 14.7 -17.4|TH Bangkok 13.8 100.5|TN Tunis 36.8 10.2
TR Ankara 39.9 32.9|TW Taipei 25.0 121.6|TZ Dodoma -6.2 35.7|UA Kyiv 50.5 30.5|UG Kampala 0.3 32.6
US Washington 38.9 -77.0|UY Montevideo -34.9 -56.2|UZ Tashkent 41.3 69.2|VE Caracas 10.5 -66.9|VN Hanoi 21.0 105.9
ZA Pretoria -25.7 28.2|ZM Lusaka -15.4 28.3|ZW Harare -17.8 31.1
"""
_EURO: Final = "AD AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MC MT NL PT SI SK"
_OWN: Final = {"GB": "GBP", "CH": "CHF", "LI": "CHF", "IN": "INR", "JP": "JPY", "PL": "PLN", "SE": "SEK", "NO": "NOK"}


def capital(country: str) -> tuple[str, Location] | None:
    """Return name and coordinates (a tenth of a degree) of a capital; None where this list has none."""
    for entry in _CAPITALS.replace("\n", "|").strip("|").split("|"):
        code, name, lat, lon = entry.split(" ")
        if code == country:
            return name.replace("-", " "), Location(float(lat), float(lon))
    return None


def currency_of(country: str) -> str:
    """Return the currency that prices of a country are likely to be in; the US dollar where it is not known here."""
    return "EUR" if country in _EURO.split() else _OWN.get(country, "USD")
