"""The service's status page shows its stores and their health in a browser that reaches nothing else; a picture of it is kept in
build/e2e/status_page.png."""

import pathlib
import shutil
import subprocess
import tempfile
import urllib.request

from testbed import binaries
from testbed.ports import free_port
from testbed.processes import Process
from testbed.waiting import until

SERVERS = ("real",)  # once is enough: no API server takes part
SLOW = True  # installs a browser

PICTURES = pathlib.Path(__file__).resolve().parents[2] / "build" / "e2e"


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def run(bed):
    data, admin = free_port(), free_port()
    service = Process("service", [
        bed.service_binary, "serve", "--listen.address=127.0.0.1", f"--listen.port={data}", "--admin.address=127.0.0.1",
        f"--admin.port={admin}", "--backends.fast.type=memory", "--stores.sessions.backend=fast"], bed.folder)
    try:
        page = f"http://127.0.0.1:{admin}/"
        until("the service is ready", lambda: answers(page + "readyz"))
        for number in range(7):
            request = urllib.request.Request(f"http://127.0.0.1:{data}/v1/stores/_default/keys/k{number}", b"value", method="PUT")
            urllib.request.urlopen(request, timeout=10).close()
        shown = browse(page)
    finally:
        service.stop()
    for part in (">healthy<", "<td>sessions</td><td>fast</td><td class=\"number\">7</td>", "<dt>Requests/s</dt>"):
        assert part in shown, f"the page does not show {part}:\n{shown}"
    return "build/e2e/status_page.png"


def browse(page):
    """The page's elements once its script has asked twice."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    if not chromium:
        raise binaries.Missing("chromium is not on PATH; `make e2e` installs it from Debian's packages")
    with tempfile.TemporaryDirectory() as profile:
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                   f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                   "--window-size=1100,800", "--virtual-time-budget=6000"]
        subprocess.run([*command, f"--screenshot={PICTURES / 'status_page.png'}", page], check=True, capture_output=True, timeout=180)
        done = subprocess.run([*command, "--dump-dom", page], check=True, capture_output=True, text=True, timeout=180)
    return done.stdout
