"""What column headings and type words of many sources mean, for every reader of tables.

`SYNONYMS` maps a heading, as `normal` writes it, to a draft column; `KIND_WORDS` maps a source's word
for the sort of a value to a Kind. Both are looked up in normal form, so "Source IP", "source_ip" and
"source.ip" are one entry.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from tocsin.core.words import Kind

_NOT_WORD = re.compile(r"[\W_]+")


def normal(heading: str) -> str:
    """A heading as it is looked up: lower case, every run of other signs one underscore."""
    return _NOT_WORD.sub("_", unicodedata.normalize("NFKC", heading).casefold()).strip("_")


def _table(groups: dict[str, str]) -> dict[str, str]:
    return {normal(word): meaning for meaning, words in groups.items() for word in words.split(",")}


SYNONYMS: dict[str, str] = _table(
    {
        "value": """value,indicator,indicators,ioc,iocs,ioc value,ioc_value,indicator value,observable,data,artifact,
            artefact,entity,entity value,trail,atomic,selector,attribute value,threat,dataval,id indicator,
            indicateur,valeur,indicador,valor,dato,wert,indikator,valore,indicatore,значение,индикатор,指标,値,قيمة,مؤشر,
            ip,ips,ip address,ip_address,ipaddress,ip addr,ipaddr,ipv4,ipv6,ip4,ip6,address,src,source,src ip,srcip,
            src_addr,src address,source ip,sourceip,source.ip,source address,source_ip_address,ip.src,ip-src,sip,
            client ip,clientip,client_ip,remote ip,remote_addr,attacker ip,attackerip,attacking ip,victim ip,host ip,hostip,bot ip,
            c2 ip,c2_ip,c2ip,c&c ip,malicious ip,adresse ip,dirección ip,direccion ip,indirizzo ip,ip-adresse,ip адрес,
            عنوان ip,ip地址,ipアドレス,ip_range,netblock,network address,cidr,subnet,prefix,ip prefix,
            wallet,wallet address,btc wallet,bitcoin address,btc address,crypto address,cve,cve id,cveid,email,e-mail,
            email address,mail,phone,telephone,phone number,iban,ip mask""",
        "kind": """type,kind,indicator type,indicator_type,ioc type,ioc_type,entity type,entity_type,observable type,
            value type,value_type,datatype,data type,attribute type,artifact type,tipo,typ,art,tipo de indicador,
            type d'indicateur,тип,类型,種別,نوع,hash type,category type,indicatortype""",
        "first_at": """first seen,firstseen,first_seen,first seen utc,firstseen utc,first_seen_utc,first seen vt,start,
            start time,starttime,begin,time,timestamp,ts,date,datetime,date time,date added,dateadded,added,add date,added on,
            create time,created,created at,creation date,detected date,detected,detection time,detection timestamp,
            source time,time.source,event time,eventtime,observed,observed at,seen,reported,report time,submitted,
            submission time,published,date published,discovered,discovery date,listed,listingdate,listing date,
            filetimeutc,fecha,fecha y hora,primera vez,date et heure,date de détection,première vue,datum,zeitpunkt,
            zeit,data e ora,data rilevamento,дата,время,日期,时间,日時,日付,تاريخ,التاريخ,compile timestamp,dateadded utc,
            first_observed,firstdetected,date first seen,dt,log time,@timestamp""",
        "last_at": """last seen,lastseen,last_seen,last_seen_utc,last seen utc,last online,last_online,lastonline,end,
            end time,endtime,stop,last observed,updated,modified,update time,last update,lastupdate,last access,ultima vez,
            última vez,dernière vue,zuletzt gesehen,last reported,lastdetected,expires last seen""",
        "count": "count,hits,occurrences,number of hits,times seen,sightings,reports,num reports,packets,attacks,anzahl,nombre,total",
        "role": "role,infrastructure role,rôle,rol",
        "type": "event type,event_type,classification type,classification.type,incident type,rsit",
        "malware": """malware,malware family,malware_family,malwarefamily,family,malware name,malware.name,malware_printable,
            malware printable,infection,botnet,botname,bot name,bot type,threat name,threatname,threat family,signature,
            familie,famille,familia,famiglia,tool name""",
        "actor": "actor,threat actor,threat_actor,apt,apt group,apt_group,group name,attacker,adversary,acteur,attaquant",
        "label": "label,campaign,campaign name,threat type,threat_type,classification,category,detection,av detection,verdict,feed code",
        "severity": "severity,risk,criticality,priority,gravité,gravedad,schweregrad,severidad",
        "confidence": "confidence,confidence level,confidence_level,score,certainty,reliability,risk score,confiance,confianza",
        "stated_country": """country,country code,country_code,countrycode,cc,geo,source cc,src country,source country,
            src_geo,source.geolocation.cc,sourceipcountrycode,ip country,country name,pays,país,pais,land,paese,страна,国家,国,الدولة,
            iso country,geoip country,c2 country,host country""",
        "target_country": "target country,victim country,targeted country,target.country",
        "registrant_country": "registrant country,owner country",
        "asn": "asn,as,as number,asnumber,src asn,src_asn,source asn,source.asn,autonomous system,as num,as_number,sourceipasnnr,asn number",
        "network": "network,bgp prefix,net,route,source.network",
        "port": """port,src port,srcport,src_port,source port,source_port,source.port,sourceport,c2 port,puerto,porta,
            service port,listening port,client port""",
        "protocol": "protocol,proto,transport,protocol.transport,l4 proto,protocole,protocolo,protokoll,protocollo,app protocol,service",
        "hostname": """hostname,host,host name,fqdn,reverse dns,rdns,ptr,source.reverse_dns,src hostname,src_hostname,
            dns name,hôte,nombre de host,rechnername""",
        "url": """url,urls,uri,link url,download url,downloadurl,phishing url,phish url,malicious url,web address,
            source url,source.url,source_url,http url,full url,website,web url,web uri,landing page,site,網址,网址,رابط""",
        "peer": """dst,destination,dst ip,dst_ip,dstip,dst addr,dst_addr,destination ip,destination_ip,destination.ip,
            dest ip,dest_ip,destip,destination address,ip.dst,ip-dst,dip,server ip,target ip,target,cc ip,cc_ip,
            remote_ip,dest addr,destination host""",
        "peer_port": "dst port,dst_port,dstport,destination port,destination.port,dest port,dest_port,dport,target port,cc port,remote port,server port,remote_port",
        "peer_country": "dst country,destination country,dst geo,dst_geo,target cc,destination.geolocation.cc",
        "tags": "tags,tag,labels,keywords,attribute tag,étiquettes,etiquetas,schlagwörter",
        "note": """note,notes,comment,comments,remark,remarks,description,desc,details,context,notes and comments,info,
            commentaire,remarque,comentario,nota,descripción,descrição,beschreibung,bemerkung,описание,комментарий,
            备注,説明,ملاحظات,وصف,meta.desc""",
        "reference": """reference,references,ref,source link,report,report url,permalink,urlhaus link,urlhaus_link,link,
            links,external reference,article,more info,référence,referencia,quelle,notes reference,phish detail url,url of report""",
    }
)
"""Heading in normal form → draft column."""

VALUE_HEADINGS: dict[str, str] = _table(
    {
        Kind.DOMAIN: """domain,domains,domain name,domainname,domain_name,fqdn domain,domain fqdn,dns domain,c2 domain,
            malicious domain,domaine,dominio,domäne,nom de domaine,домен,域名,ドメイン,نطاق,query,dga domain,domian""",
        Kind.URL: "c2 url,c2url,c&c url,listener c2 url,listener_c2_url,payload url,dropper url",
        Kind.MD5: "md5,md5 hash,md5_hash,hash md5,hash_md5,md5sum,file md5,file_md5,md5 checksum,filehash md5",
        Kind.SHA1: "sha1,sha 1,sha1 hash,sha1_hash,hash sha1,hash_sha1,sha1sum,file sha1,filehash sha1",
        Kind.SHA256: """sha256,sha 256,sha256 hash,sha256_hash,hash sha256,hash_sha256,sha256sum,file sha256,
            filehash sha256,sha2""",
        Kind.SHA512: "sha512,sha 512,sha512 hash,sha512_hash,hash sha512",
        Kind.SHA384: "sha384,sha384_hash,sha3 384,sha3_384_hash",
        Kind.IMPHASH: "imphash,import hash",
        Kind.SSDEEP: "ssdeep,fuzzy hash,ssdeep hash",
        Kind.TLSH: "tlsh,tlsh hash",
        Kind.JA3: "ja3,ja3 md5,ja3_md5,ja3 hash,ja3 fingerprint",
        Kind.JARM: "jarm,jarm hash,jarm fingerprint",
        Kind.EMAIL: "sender,from address,sender address,attacker email",
        Kind.OTHER: "c2,c&c,c2 server,c2 address,c2 host,command and control,cnc,hash,file hash,filehash,checksum,hashes,url ip,ip domain,domain ip",
    }
)
"""Heading in normal form → Kind of a value column that names its kind; OTHER: found from the content."""

KIND_WORDS: dict[str, str] = _table(
    {
        Kind.IPV4: "ipv4,ip4,ipv4 addr,ipv4-addr,ipv4 address,ipv4addr",
        Kind.IPV6: "ipv6,ip6,ipv6 addr,ipv6-addr,ipv6 address,ipv6addr",
        Kind.NETWORK: "network,cidr,netblock,ip range,subnet,ipv4 cidr,ipv6 cidr,ipv4-cidr,ip/cidr,net,prefix,intel::subnet",
        Kind.ASN: "asn,as,autonomous system,as number",
        Kind.DOMAIN: """domain,domain name,domain-name,hostname,host,fqdn,dns,dga,dga domain,subdomain,c2 domain,
            intel::domain,domainname,domaine,dominio,домен,域名,host name,internet domain""",
        Kind.URL: "url,uri,link url,http url,malware url,phishing url,intel::url,download url,c2 url,payload url,url:port",
        Kind.EMAIL: """email,e-mail,email address,email-addr,email src,email-src,email-dst,mail,sender,e-mail address,
            email-reply-to,intel::email,email sender,whois-registrant-email,attacker email""",
        Kind.MD5: "md5,hash|md5,hash md5,hash-md5,md5 hash,filehash-md5,md5_hash,file md5,file:md5,md5sum,hash:md5",
        Kind.SHA1: "sha1,sha-1,hash|sha1,hash sha1,hash-sha1,sha1 hash,filehash-sha1,sha1_hash,file sha1,hash:sha1",
        Kind.SHA224: "sha224,sha-224",
        Kind.SHA256: """sha256,sha-256,hash|sha256,hash sha256,hash-sha256,sha256 hash,filehash-sha256,sha256_hash,
            file sha256,sha2,sha2-256,hash:sha256""",
        Kind.SHA384: "sha384,sha-384,sha3-384",
        Kind.SHA512: "sha512,sha-512,hash|sha512,filehash-sha512",
        Kind.SSDEEP: "ssdeep,fuzzy hash,hash|ssdeep",
        Kind.TLSH: "tlsh,telfhash",
        Kind.IMPHASH: "imphash,filehash-imphash,pehash",
        Kind.FILENAME: """filename,file name,file,file path,filepath,file_path,file_path_name,path,intel::file_name,
            file-name,file_name,full path,dropped file""",
        Kind.WALLET: """wallet,btc,xmr,eth,bitcoin,bitcoin address,bitcoinaddress,btc address,cryptocurrency,monero,
            ethereum,wallet address,btc wallet,cryptocurrency-wallet,crypto address""",
        Kind.PHONE: "phone,phone number,phone-number,telephone,msisdn,prtn,whois-registrant-phone",
        Kind.IBAN: "iban,bank account iban",
        Kind.CARD: "card,cc-number,credit card,payment card",
        Kind.CVE: "cve,vulnerability,cve id,cve-id",
        Kind.MUTEX: "mutex,mutant",
        Kind.REGISTRY_KEY: "registry,registry key,regkey,registry-key,reg key,registry_key,registry path,windows-registry-key,regkey|value",
        Kind.USER_AGENT: "user agent,user-agent,useragent,http-user-agent,intel::software,ua",
        Kind.ACCOUNT: "account,user account,user_account,username,user,user name,intel::user_name,target-user,user-account",
        Kind.MAC: "mac,mac address,mac-address",
        Kind.JA3: "ja3,ja3 md5,ja3 fingerprint,ja3-fingerprint-md5,intel::ja3,ja3s",
        Kind.JARM: "jarm,jarm-fingerprint,jarm fingerprint",
        Kind.CERTIFICATE: """certificate,x509,x509-fingerprint-sha1,x509-fingerprint-sha256,x509-fingerprint-md5,ssl certificate,
            intel::cert_hash,certificate sha1,sslcert_sha1,cert hash,tls certificate,x509 fingerprint""",
        Kind.ORGANISATION: "organisation,organization,company,org",
        Kind.OTHER: """yara,snort,sigma,pattern,command,command line,commandline,tool,named pipe,pipe,pdb,pdb path,service,
            service name,process,scheduled task,task,windows-service-name,windows-scheduled-task,other,intel::pubkey_hash,
            size-in-bytes,mime-type,string,strings,http-method,x-mailer,email-subject,email subject,subject,driver""",
    }
)
"""A source's word for the sort of a value, in normal form → Kind."""

FREE_WORDS: frozenset[str] = frozenset(
    normal(word)
    for word in """ip,ips,ip address,ip-dst,ip-src,ip_address,ipaddress,addr,address,intel::addr,ip addr,c2 ip,ip:port,
        ip-dst|port,ip-src|port,domain|ip,hash,filehash,file hash,file_hash,intel::file_hash,indicator,ioc,c2,c&c,
        hostname|port,host:port,domain:port,malware,checksum""".split(",")
)
"""Words that name a family of kinds: the value itself then says which."""

NOT_INDICATORS: frozenset[str] = frozenset(
    normal(word)
    for word in """description,comment,text,link,note,reference,title,attachment,malware-sample,counter,float,datetime,
        boolean,campaign-name,threat-actor,header""".split(",")
)
"""Type words of rows that say something about the delivery and are no indicators."""


def kind_of_word(word: str) -> str | None:
    """The Kind for a source's word; "" where the value must tell, None where the word is not known."""
    key = normal(word)
    found = KIND_WORDS.get(key)
    if found is not None:
        return str(found)
    return "" if key in FREE_WORDS else None


def known_share(headings: Iterable[str]) -> float:
    """Share of non-empty headings that are known, in [0, 1]."""
    words = [normal(heading) for heading in headings]
    words = [word for word in words if word]
    known = sum(word in SYNONYMS or word in VALUE_HEADINGS for word in words)
    return known / len(words) if words else 0.0
