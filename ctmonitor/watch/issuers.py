"""
Which identifiers of a CAA record allow a CA, where no source tells.

Cert Spotter tells them with each issuer; crt.sh and our own logs do not. The table has
the organisations that issue nearly all certificates of the web; one that is missing is
unknown, which is never held to be forbidden. It is generous, since an identifier too
many hides a mistake of a CA, and one too few accuses each of its customers.

Source: certification practice statements of the CAs, section 4.2.1, as the CCADB lists
them in AllCAAIdentifiersReport; resold brands go by the CA that checks their records.
"""

from ctmonitor.model.own import Issuer

_AMAZON = (
    "amazon.com",
    "amazontrust.com",
    "awstrust.com",
    "amazonaws.com",
    "aws.amazon.com",
)
_CERTUM = ("certum.pl", "certum.eu")
_DIGICERT = (
    "digicert.com",
    "www.digicert.com",
    "digicert.ne.jp",
    "cybertrust.ne.jp",
    "symantec.com",
    "geotrust.com",
    "rapidssl.com",
    "thawte.com",
    "quovadisglobal.com",
    "digitalcertvalidation.com",
    "volusion.digitalcertvalidation.com",
    "stratossl.digitalcertvalidation.com",
    "intermediatecertificate.digitalcertvalidation.com",
    "1and1.digitalcertvalidation.com",
    # CAs of Amazon were signed and run by DigiCert.
    "amazon.com",
    "amazontrust.com",
    "awstrust.com",
    "amazonaws.com",
)
_DTRUST = ("d-trust.net", "dtrust.net", "d-trust.de", "dtrust.de")
_GODADDY = ("godaddy.com", "starfieldtech.com")
_QUOVADIS = ("quovadisglobal.com", "www.pkioverheid.nl", "pkioverheid.nl")
# Sectigo took over the public certificates of Entrust in 2025; until then, from the end
# of 2024 on, SSL.com issued them.
_ENTRUST = ("entrust.net", "affirmtrust.com")
_SECTIGO = (
    "sectigo.com",
    "comodo.com",
    "comodoca.com",
    "usertrust.com",
    "trust-provider.com",
    *_ENTRUST,
)
_SSLCOM = ("ssl.com", *_ENTRUST)
_SWISSSIGN = ("swisssign.com", "swisssign.net", "swisssign.ch", "swisssign.li")
_TELEKOM = ("telesec.de", "pki.dfn.de", "dfn.de")
_TELIA = ("telia.com", "telia.fi", "telia.se")
_TRUSTWAVE = ("trustwave.com", "securetrust.com", "vikingcloud.com")
_TWCA = ("twca.com.tw",)

_TABLE: dict[str, tuple[str, ...]] = {
    "AC CAMERFIRMA S.A.": ("camerfirma.com",),
    "ACCV": ("accv.es",),
    "Actalis S.p.A.": ("actalis.it",),
    "AffirmTrust": _ENTRUST,
    "Amazon": _AMAZON,
    "Amazon Trust Services": _AMAZON,
    "Apple Inc.": ("pki.apple.com",),
    "Asseco Data Systems S.A.": _CERTUM,
    "Atos": ("atos.net",),
    "Buypass AS-983163327": ("buypass.com", "buypass.no"),
    "COMODO CA Limited": _SECTIGO,
    "CERTSIGN SA": ("certsign.ro",),
    "Certainly": ("certainly.com",),
    "Certigna": ("certigna.fr", "certigna.com"),
    "certSIGN": ("certsign.ro",),
    "China Financial Certification Authority": ("cfca.com.cn",),
    "Chunghwa Telecom Co., Ltd.": (
        "pki.hinet.net",
        "eca.hinet.net",
        "publicca.hinet.net",
        "ev.hinet.net",
        "evssl.hinet.net",
        "epki.com.tw",
    ),
    # Once a CA of DigiCert, since 2024 one of SSL.com.
    "Cloudflare, Inc.": (*_DIGICERT, *_SSLCOM),
    "Corporation Service Company": _SECTIGO,
    "cPanel, Inc.": _SECTIGO,
    "cPanel, LLC": _SECTIGO,
    "Cybertrust Japan Co., Ltd.": ("cybertrust.co.jp", "cybertrust.ne.jp"),
    "D-Trust GmbH": _DTRUST,
    "Deutsche Telekom Security GmbH": _TELEKOM,
    "DFN-Verein": _TELEKOM,
    "Verein zur Foerderung eines Deutschen Forschungsnetzes e. V.": _TELEKOM,
    "DigiCert Inc": _DIGICERT,
    "DigiCert, Inc.": _DIGICERT,
    "DigiCert Ireland Limited": _DIGICERT,
    "Disig a.s.": ("disig.sk",),
    "eMudhra Inc": ("emsign.com",),
    "eMudhra Technologies Limited": ("emsign.com",),
    "Entrust": _ENTRUST,
    "Entrust, Inc.": _ENTRUST,
    "Entrust Corporation": (*_ENTRUST, *_SSLCOM, *_SECTIGO),
    "Entrust Limited": (*_ENTRUST, *_SSLCOM, *_SECTIGO),
    "FNMT-RCM": ("fnmt.es",),
    "Gandi": _SECTIGO,
    "GANDI SAS": _SECTIGO,
    "GEANT Vereniging": (*_SECTIGO, "harica.gr"),
    "GeoTrust Inc.": _DIGICERT,
    "GeoTrust, Inc.": _DIGICERT,
    "GlobalSign": ("globalsign.com",),
    "GlobalSign nv-sa": ("globalsign.com",),
    "GoDaddy.com": _GODADDY,
    "GoDaddy.com, Inc.": _GODADDY,
    "GoGetSSL": _SECTIGO,
    "Google Inc": ("pki.goog", "google.com", "globalsign.com"),
    "Google Trust Services": ("pki.goog", "google.com"),
    "Google Trust Services LLC": ("pki.goog", "google.com"),
    "Hellenic Academic and Research Institutions CA": ("harica.gr",),
    "Hongkong Post": ("hongkongpost.gov.hk",),
    "IdenTrust": ("identrust.com", "www.identrust.com"),
    "IdenTrust, Inc.": ("identrust.com", "www.identrust.com"),
    "Internet Security Research Group": ("letsencrypt.org",),
    "ISRG": ("letsencrypt.org",),
    "IZENPE S.A.": ("izenpe.com", "izenpe.eus"),
    "Japan Registry Services Co., Ltd.": ("jprs.jp",),
    "Krajowa Izba Rozliczeniowa S.A.": ("elektronicznypodpis.pl",),
    "Let's Encrypt": ("letsencrypt.org",),
    "Microsec Ltd.": ("e-szigno.hu",),
    # Its older CAs were signed by DigiCert.
    "Microsoft Corporation": ("microsoft.com", *_DIGICERT),
    "NETLOCK Kft.": ("netlock.hu", "netlock.net", "netlock.eu", "netlock.com"),
    "NETLOCK Ltd.": ("netlock.hu", "netlock.net", "netlock.eu", "netlock.com"),
    "Network Solutions L.L.C.": ("web.com", "networksolutions.com", *_SECTIGO),
    "QuoVadis Limited": (*_QUOVADIS, *_DIGICERT),
    "QuoVadis Trustlink B.V.": (*_QUOVADIS, *_DIGICERT),
    "QuoVadis Trustlink Deutschland GmbH": (*_QUOVADIS, *_DIGICERT),
    "QuoVadis Trustlink Schweiz AG": (*_QUOVADIS, *_DIGICERT),
    "SECOM Trust Systems CO.,LTD.": ("secomtrust.net",),
    "Sectigo Limited": _SECTIGO,
    "Sectigo (Europe) SL": _SECTIGO,
    "SSL Corp": _SSLCOM,
    "SSL Corporation": _SSLCOM,
    "Starfield Technologies, Inc.": (*_GODADDY, "amazon.com"),
    "SwissSign AG": _SWISSSIGN,
    "Symantec Corporation": _DIGICERT,
    "TAIWAN-CA": _TWCA,
    "TAIWAN-CA Inc.": _TWCA,
    "Telia Company AB": _TELIA,
    "Telia Finland Oyj": _TELIA,
    "TERENA": _DIGICERT,
    "thawte, Inc.": _DIGICERT,
    "The USERTRUST Network": _SECTIGO,
    "T-Systems International GmbH": _TELEKOM,
    "TrustAsia Technologies, Inc.": ("trustasia.com", *_DIGICERT, *_SECTIGO),
    "Trustwave Holdings, Inc.": _TRUSTWAVE,
    "UniTrust": ("sheca.com", "imtrust.cn", "wwwtrust.cn"),
    "Unizeto Technologies S.A.": _CERTUM,
    "Unizeto Sp. z o.o.": _CERTUM,
    "Verokey": _DIGICERT,
    "Viking Cloud, Inc.": _TRUSTWAVE,
    "WISeKey": ("wisekey.com", "hightrusted.com", "certifyid.com", "oiste.org"),
    "ZeroSSL": ("zerossl.com", *_SECTIGO),
    "ZeroSSL GmbH": ("zerossl.com", *_SECTIGO),
}


def _folded(organisation: str) -> str:
    return " ".join(organisation.split()).casefold()


_IDENTIFIERS = {
    _folded(organisation): tuple(dict.fromkeys(identifiers))
    for organisation, identifiers in _TABLE.items()
}


def caa_identifiers(issuer: Issuer) -> tuple[str, ...] | None:
    """
    The identifiers that allow this issuer in a CAA record; None when nobody knows.

    What a source told counts before the table, also when it told that there are none.
    """
    if issuer.caa_domains is not None:
        return issuer.caa_domains
    return _IDENTIFIERS.get(_folded(issuer.organisation))
