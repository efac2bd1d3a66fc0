"""CRMs as their vendors document them, on this machine: limits, failures, half-failed batches."""

from __future__ import annotations

import csv
import datetime as dt
import io
import ipaddress
import json
import random
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


def certificate(folder):
    """Write a certificate of this machine and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert, secret


class Crm:
    """What a CRM holds, and how it behaves.

    ``records`` are those it knows; ``refused`` ids are turned down one by one, a ``poison`` id
    with its whole call; ``busy`` is the share of calls that end with 429 or 5xx before anything is
    done, ``lost`` that of calls whose answer never arrives although all was done; ``lives`` how
    many calls a token serves.
    """

    def __init__(self, ids, *, busy=0.0, lost=0.0, lives=None, refused=(), poison=(), seed=0):
        self.records = {customer: {} for customer in ids}
        self.busy, self.lost, self.lives = busy, lost, lives
        self.refused, self.poison = set(refused), set(poison)
        self.calls = self.written = self.logins = self.created = 0
        self.jobs = {}
        self._random, self.lock = random.Random(seed), threading.Lock()
        self.token_calls = 0
        self.login_status = 200

    def mood(self):
        """Return how this call goes: a status, "lost", or None where all is well."""
        self.calls += 1
        self.token_calls += 1
        if self.lives is not None and self.token_calls > self.lives:
            return 401
        chance = self._random.random()
        if chance < self.busy:
            return self._random.choice([429, 500, 503])
        return "lost" if chance < self.busy + self.lost else None

    def write(self, customer, fields, *, create=False):
        """Write one record; return why not, or None."""
        if customer in self.refused:
            return "VALIDATION_ERROR"
        if customer not in self.records:
            if not create:
                return "OBJECT_NOT_FOUND"
            self.created += 1
            self.records[customer] = {}
        self.records[customer] |= fields
        self.written += 1
        return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        """Say nothing."""

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        crm = self.server.crm
        with crm.lock:
            path = urlsplit(self.path)
            if path.path == "/services/oauth2/token":
                crm.logins += 1
                crm.token_calls = 0
                return self.answer(crm.login_status, {"access_token": f"token-{crm.logins}"})
            mood = crm.mood()
            if isinstance(mood, int):
                return self.answer(
                    mood, {"category": "RATE_LIMITS", "error": "x"}, {"Retry-After": "1"}
                )
            status, document = self.route(crm, path, body)
        if mood == "lost":
            self.close_connection = True
            return self.connection.close()
        return self.answer(status, document)

    do_GET = do_POST = do_PUT = do_PATCH = handle_any

    def answer(self, status, document, headers=()):
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        kind = "text/csv" if isinstance(document, bytes) else "application/json"
        for name, value in {
            "Content-Type": kind,
            "Content-Length": len(raw),
            **dict(headers),
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(raw)

    def route(self, crm, path, body):
        parts = [unquote(part) for part in path.path.split("/") if part]
        if parts[:1] == ["crm"]:
            return hubspot(crm, json.loads(body))
        if parts[:2] == ["api", "v2"]:
            return zendesk(crm, parts[2:], parse_qs(path.query), body)
        if parts[:1] == ["services"]:
            return salesforce(crm, self.command, parts[5:], body)
        return rest(crm, parts[-1], json.loads(body))


def hubspot(crm, body):
    inputs = body["inputs"]
    assert len(inputs) <= 100
    if crm.poison & {item["id"] for item in inputs}:
        return 400, {"status": "error", "category": "VALIDATION_ERROR", "message": "no"}
    errors, results = {}, []
    for item in inputs:
        why = crm.write(item["id"], item["properties"])
        if why:
            errors.setdefault(why, []).append(item["id"])
        else:
            now = "2025-01-01T00:00:00Z"
            results.append(
                {"id": "1", "properties": {}, "createdAt": now, "updatedAt": now, "archived": False}
            )
    now = "2025-01-01T00:00:00Z"
    told = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if not errors:
        return 200, told
    problems = [
        {
            "status": "error",
            "category": why,
            "message": "no",
            "context": {"ids": ids},
            "errors": [],
            "links": {},
        }
        for why, ids in errors.items()
    ]
    return 207, told | {"numErrors": len(errors), "errors": problems}


def zendesk(crm, parts, query, body):
    if parts[0] == "job_statuses":
        number = parts[1].removesuffix(".json")
        crm.jobs[number]["looks"] += 1
        return 200, {"job_status": job_of(crm, number)}
    (ids,) = query["external_ids"]
    users = json.loads(body)["users"]
    assert [str(user["external_id"]) for user in users] == ids.split(",")
    assert len(users) <= 100
    if crm.poison & {user["external_id"] for user in users}:
        return 422, {"error": "RecordInvalid", "description": "no"}
    results = []
    for place, user in enumerate(users):
        why = crm.write(user["external_id"], user["user_fields"])
        results.append(
            {"index": place, "error": why, "details": "no"}
            if why
            else {"id": place + 1, "action": "update", "status": "Updated", "success": True}
        )
    number = f"job{len(crm.jobs)}"
    crm.jobs[number] = {"results": results, "looks": 0}
    return 200, {"job_status": job_of(crm, number)}


def job_of(crm, number):
    job = crm.jobs[number]
    done = job["looks"] > 1
    return {
        "id": number,
        "url": f"https://localhost/api/v2/job_statuses/{number}.json",
        "status": "completed" if done else "working",
        "total": len(job["results"]),
        "progress": None,
        "message": None,
        "results": job["results"] if done else None,
    }


def salesforce(crm, command, parts, body):
    if command == "POST":
        number = f"750{len(crm.jobs)}"
        crm.jobs[number] = {"state": "Open", "failed": [], "looks": 0} | json.loads(body)
        return 200, crm.jobs[number] | {"id": number}
    job = crm.jobs[parts[0]]
    if command == "PUT":
        job["rows"] = list(csv.DictReader(io.StringIO(body.decode())))
        return 201, {}
    if command == "PATCH":
        job["state"] = json.loads(body)["state"]
        if job["state"] == "UploadComplete":
            key = job["externalIdFieldName"]
            for row in job["rows"]:
                fields = {n: None if v == "#N/A" else v for n, v in row.items() if n != key and v}
                why = crm.write(row[key], fields, create=row[key].startswith("lead"))
                if why:
                    job["failed"].append({"sf__Id": "", "sf__Error": f"{why}:no --", **row})
        return 200, {"id": parts[0], "state": job["state"]}
    if len(parts) == 1:
        job["looks"] += 1
        if job["state"] == "UploadComplete" and job["looks"] > 1:
            job["state"] = "JobComplete"
        told = {
            "numberRecordsFailed": len(job["failed"]),
            "numberRecordsProcessed": len(job["rows"]),
        }
        return 200, {"id": parts[0], "state": job["state"], **told}
    rows = job["failed"] if parts[1] == "failedResults" else []
    names = ["sf__Id", "sf__Error", *job["rows"][0]]
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    return 200, text.getvalue().encode()


def rest(crm, customer, body):
    why = crm.write(customer, body["fields"])
    return (404, {"error": why}) if why else (200, {})


class Server:
    """A CRM that listens, as a context."""

    def __init__(self, crm, cert, secret):
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.crm, self._http.daemon_threads = crm, True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, secret)
        # the handshake belongs to the connection's own thread
        self._http.socket = context.wrap_socket(
            self._http.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._http.shutdown()
        self._http.server_close()
