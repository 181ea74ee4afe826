"""Countries by their English names, as ISO 3166-1 alpha-2 codes."""

from __future__ import annotations

_NAMES = """
AF afghanistan;AL albania;DZ algeria;AD andorra;AO angola;AR argentina;AM armenia;AU australia;AT austria
AZ azerbaijan;BS bahamas;BH bahrain;BD bangladesh;BB barbados;BY belarus;BE belgium;BZ belize;BJ benin;BT bhutan
BO bolivia;BA bosnia|bosnia and herzegovina;BW botswana;BR brazil;BN brunei;BG bulgaria;BF burkina faso;BI burundi
KH cambodia;CM cameroon;CA canada;CV cape verde;CF central african republic;CL chile;CN china;CO colombia;KM comoros
CG congo;CR costa rica;HR croatia;CU cuba;CY cyprus;CZ czechia|czech republic;DK denmark;DJ djibouti;DM dominica
DO dominican republic;EC ecuador;EG egypt;SV el salvador;GQ equatorial guinea;ER eritrea;EE estonia;SZ eswatini
ET ethiopia;FJ fiji;FI finland;FR france;GA gabon;GM gambia;GE georgia;DE germany;GH ghana;GR greece;GD grenada
GT guatemala;GN guinea;GY guyana;HT haiti;HN honduras;HK hong kong;HU hungary;IS iceland;IN india;ID indonesia
IR iran;IQ iraq;IE ireland;IL israel;IT italy;CI ivory coast|cote d'ivoire;JM jamaica;JP japan;KZ kazakhstan
KE kenya;KW kuwait;KG kyrgyzstan;LA laos;LV latvia;LB lebanon;LS lesotho;LR liberia;LY libya;LI liechtenstein
LT lithuania;LU luxembourg;MG madagascar;MW malawi;MY malaysia;MV maldives;ML mali;MT malta;MR mauritania
MU mauritius;MX mexico;MD moldova;MC monaco;MN mongolia;ME montenegro;MA morocco;MZ mozambique;MM myanmar|burma
NA namibia;NP nepal;NL netherlands|the netherlands|holland;NZ new zealand;NI nicaragua;NE niger;NG nigeria
KP north korea;MK north macedonia|macedonia;NO norway;OM oman;PK pakistan;PS palestine;PA panama;PG papua new guinea
PY paraguay;PE peru;PH philippines|the philippines;PL poland;PT portugal;QA qatar;RO romania
RU russia|the russian federation|russian federation;RW rwanda;SM san marino;SA saudi arabia;SN senegal;RS serbia
SC seychelles;SL sierra leone;SG singapore;SK slovakia;SI slovenia;SO somalia;ZA south africa;KR south korea
SS south sudan;ES spain;LK sri lanka;SD sudan;SR suriname;SE sweden;CH switzerland;SY syria;TW taiwan;TJ tajikistan
TZ tanzania;TH thailand;TG togo;TO tonga;TT trinidad and tobago;TN tunisia;TR turkey|türkiye|turkiye;TM turkmenistan
UG uganda;UA ukraine;AE united arab emirates|uae;GB united kingdom|the uk|uk|great britain|britain|england
US united states|the united states|usa|the us|the usa|united states of america|america;UY uruguay;UZ uzbekistan
VE venezuela;VN vietnam;YE yemen;ZM zambia;ZW zimbabwe;CN chinese|mainland china;RU russian;KP north korean
IR iranian;BY belarusian;US american;DE german;FR french;BR brazilian;IN indian;VN vietnamese;UA ukrainian
"""
_CODES = {
    name: entry.strip()[:2]
    for line in _NAMES.strip().splitlines()
    for entry in line.split(";")
    for name in entry.strip()[3:].split("|")
}


def country(name: str) -> str | None:
    """The code of the country `name`, in lower case; None if it is none that is known."""
    return _CODES.get(name)
