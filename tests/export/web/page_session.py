"""A site in a real browser: what a person does with it, and what it then says."""

import base64
import dataclasses
import importlib.util
import json
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from bas_tf.export.web import server

FLAGS = (
    "--headless",
    "--no-sandbox",  # as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    # No name is looked up, and no other host is there.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
PROGRAMS = ("chromium", "chromedriver")
INNER_SCHEMES = ("chrome", "data", "blob")
SECONDS = 30  # that a page may take for anything, on a busy machine


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the page says of a photo.

    Attributes:
      photo: its name and size.
      class_name: the title above the box's place.
      score: of the class; None where it was asked for.
      confidence: of the box.
      found: the page does not say that there is nothing.
      box: float [4], x0, y0, x1, y1 in pixels of the photo; None for the whole photo.
    """

    photo: str
    class_name: str
    score: float | None
    confidence: float
    found: bool
    box: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Request:
    """Where a request went, how, and whether anything was sent with it."""

    host: str
    method: str
    has_body: bool


class ServedFolder:
    """A folder served by `bas_tf.export.web.server` until `close`."""

    def __init__(self, folder: Path, port: int = 0):
        self.folder, self._server = folder, server.make_server(folder, port)
        self.address = server.address(self._server)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def missing() -> list[str]:
    """What `start_chromium` needs and is not installed."""
    names = [name for name in PROGRAMS if shutil.which(name) is None]
    return names if importlib.util.find_spec("selenium") else ["selenium", *names]


def start_chromium(profile: Path):
    """A Selenium driver of Debian's Chromium."""
    from selenium import webdriver

    browser, driver = map(shutil.which, PROGRAMS)
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1280,800"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    return webdriver.Chrome(options=options, service=service)


def serious_faults(driver) -> list[dict]:
    """What axe, loaded before, finds on the page as it is."""
    found = driver.execute_async_script(
        """const done = arguments[0];
        axe.run().then(({violations}) => done(violations.map(({id, impact, nodes}) =>
          ({id, impact, at: nodes.map((node) => node.html)}))));"""
    )
    return [fault for fault in found if fault["impact"] in ("serious", "critical")]


class Page:
    """A site in a browser's window."""

    def __init__(self, driver, address: str):
        self.driver, self.address = driver, address
        self.open()

    def open(self) -> None:
        self.driver.get(self.address)

    def text(self, element_id: str) -> str:
        return self.script(
            "return document.getElementById(arguments[0])?.textContent", element_id
        )

    def script(self, source: str, *args):
        return self.driver.execute_script(source, *args)

    def wait(self, is_so, what: str) -> None:
        """Waits until `is_so()`; the page's own words tell what came instead."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.wait import WebDriverWait

        try:
            WebDriverWait(self.driver, SECONDS, 0.02).until(lambda _: is_so())
        except TimeoutException as error:
            said = [self.text(name) for name in ("status", "problem", "offline")]
            raise AssertionError(
                f"not {what} after {SECONDS} s; the page says {said}"
            ) from error

    def is_shown(self, element_id: str) -> bool:
        return self.driver.find_element("id", element_id).is_displayed()

    def is_idle(self) -> bool:
        return self.script("return document.getElementById('main').ariaBusy") == "false"

    def wait_until_ready(self) -> None:
        self.wait(lambda: self.text("status").startswith("Ready"), "ready")

    def choose(self, path: Path) -> None:
        self.driver.find_element("id", "file").send_keys(str(path))

    def drop(self, *paths: Path) -> None:
        """Drops files one after the other, without a pause."""
        files = [(p.name, base64.b64encode(p.read_bytes()).decode()) for p in paths]
        self.script(
            """for (const [name, content] of arguments[0]) {
              const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([bytes], name));
              const drop = {dataTransfer, bubbles: true, cancelable: true};
              document.body.dispatchEvent(new DragEvent('drop', drop));
            }""",
            files,
        )

    def look(self, path: Path) -> Answer:
        """Chooses a photo and waits for its answer."""
        self.choose(path)
        return self.answer_of(path.name)

    def answer_of(self, name: str) -> Answer:
        """Waits for the answer on the photo of this name."""
        self.wait(
            lambda: self.is_idle() and self.text("caption").startswith(f"{name}, "),
            f"an answer on {name}",
        )
        return self.answer()

    def answer(self) -> Answer:
        """The answer that is shown."""
        score = re.search(r"score [<>]?([\d.]+)", self.text("score"))
        confidence = self.text("confidence")
        numbers = re.findall(r"\d+\.\d", self.text("place"))
        return Answer(
            photo=self.text("caption"),
            class_name=self.text("best"),
            score=float(score[1]) if score else None,
            confidence=float(re.search(r"onfidence [<>]?(\d\.\d+)", confidence)[1]),
            found=not confidence.startswith("Nothing found"),
            box=np.array(numbers, float) if numbers else None,
        )

    def problem(self) -> str:
        """Waits until the page says what is wrong."""
        self.wait(lambda: self.is_idle() and self.text("problem"), "told a problem")
        return self.text("problem")

    def requests(self) -> list[Request]:
        """Those that left the browser since the last call."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                address = urlsplit(request["url"])
                if address.scheme not in INNER_SCHEMES:
                    has_body = request.get("hasPostData", False)
                    found.append(Request(address.netloc, request["method"], has_body))
        return found
