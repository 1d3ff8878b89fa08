"""A JupyterLab of its own and a headless Chromium that uses it as a student would."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from course_utils.doctor import chromium

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]
SETTINGS = {  # draw all cells, also those off the screen; ask nothing of the network
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}
WIDTH, PAGE = 1400, 3000  # of the window, in pixels

# What the page shows of a notebook, read in one go so that it is of one moment. JupyterLab draws a cell's error
# in the same way as what it writes to stderr; inside a widget too.
LOOK = """() => {
    const texts = selector => [...document.querySelectorAll(selector)].map(node => node.textContent.trim());
    return {
        prompts: texts('.jp-Notebook .jp-CodeCell .jp-InputPrompt'),
        sources: texts('.jp-Notebook .jp-CodeCell .cm-content'),
        complaints: texts(
            '[data-mime-type="application/vnd.jupyter.stderr"], .jupyter-widgets-error-widget'),
    };
}"""


class Lab:
    """JupyterLab on a free loopback port serving `root`, with Chromium; a context manager.

    Its settings, workspaces and runtime files lie in `scratch`: nothing of the user's is read or written. A test that
    fails leaves a picture of the window in `pictures`.
    """

    def __init__(self, root: Path, scratch: Path, pictures: Path):
        self.root, self.scratch, self.pictures = root, scratch, pictures
        self.token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self):
        browser = chromium()
        if browser is None:
            raise RuntimeError("the browser tests need Chromium: sudo apt install chromium (see: course doctor)")
        with ExitStack() as undo:  # if the browser does not start, the server is stopped all the same
            self.start_server()
            undo.callback(self.server.wait, 30)
            undo.callback(self.server.terminate)
            playwright = undo.enter_context(sync_playwright())
            self.browser = playwright.chromium.launch(executable_path=browser, args=FLAGS)
            undo.callback(self.browser.close)
            self.undo = undo.pop_all()
        return self

    def __exit__(self, *_):
        self.undo.close()

    def start_server(self):
        config = self.scratch / "config"
        (config / "labconfig").mkdir(parents=True)
        (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        self.log = self.scratch / "jupyterlab.log"
        places = {
            "JUPYTER_CONFIG_DIR": config,
            "JUPYTER_DATA_DIR": self.scratch / "data",
            "JUPYTER_RUNTIME_DIR": self.scratch / "runtime",
            "IPYTHONDIR": self.scratch / "ipython",
        }
        self.server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={self.url.rpartition(':')[2]}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.root}",
            ],
            env={**os.environ, **{name: str(path) for name, path in places.items()}},
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        for _ in range(300):
            try:
                return self.ask("/api/status")
            except OSError:
                if self.server.poll() is not None:
                    break
                time.sleep(0.2)
        self.server.kill()
        raise RuntimeError(f"JupyterLab did not start:\n{self.log.read_text()[-2000:]}")

    def ask(self, path: str, method: str = "GET"):
        """A call to the server's REST interface."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=20) as reply:
            return json.loads(reply.read() or "null")

    def open(self, path: str) -> "Notebook":
        """Open the notebook at `path` (from the root) in a new window; use it as a context manager."""
        return Notebook(self, path)


class Notebook:
    """A notebook that is open in the browser. Closing it ends its kernel."""

    def __init__(self, lab: Lab, path: str):
        self.lab, self.path = lab, path
        self.page = lab.browser.new_page(viewport={"width": WIDTH, "height": 1000})
        self.page.set_default_timeout(30_000)
        workspace = re.sub(r"\W", "-", path)
        self.page.goto(f"{lab.url}/lab/workspaces/{workspace}/tree/{path}?reset&token={lab.token}")
        self.page.get_by_text("| Idle").wait_for(timeout=90_000)  # the status bar: the kernel is connected
        self.page.keyboard.press("Control+b")  # the file browser makes room

    def __enter__(self):
        return self

    def __exit__(self, failure, *_):
        if failure:
            self.page.screenshot(path=self.lab.pictures / f"failed_{Path(self.path).stem}.png")
        self.page.close()
        for session in self.lab.ask("/api/sessions"):
            self.lab.ask(f"/api/sessions/{session['id']}", "DELETE")

    def menu(self, name: str, entry: str):
        """Choose an entry of the menu bar."""
        self.page.locator(".lm-MenuBar-itemLabel").get_by_text(name, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(entry, exact=True).click()

    def run_all(self, seconds: float = 180):
        """Run → Run All Cells, then wait until every cell has run or one has failed."""
        self.menu("Run", "Run All Cells")
        self.wait(seconds)

    def wait(self, seconds: float = 60):
        """Wait until no cell is running, and every code cell has run (or an error has stopped them)."""
        for _ in range(int(seconds / 0.3)):
            time.sleep(0.3)
            seen = self.page.evaluate(LOOK)
            waiting = [
                prompt
                for prompt, source in zip(seen["prompts"], seen["sources"], strict=True)
                if source and not re.search(r"\d", prompt)
            ]
            if not any("*" in prompt for prompt in waiting) and (not waiting or seen["complaints"]):
                return
        raise TimeoutError(f"{self.path}: after {seconds} s these cells still wait: {waiting}")

    def complaints(self) -> list[str]:
        """Errors and warnings on the page, those inside widgets included."""
        return self.page.evaluate(LOOK)["complaints"]

    def sources(self) -> list[str]:
        """The text of each code cell on the page."""
        return self.page.evaluate(LOOK)["sources"]

    def cell(self, text: str):
        """The first code cell whose source holds `text`, as a Playwright locator."""
        source = self.page.locator(".cm-content").filter(has_text=text)
        return self.page.locator(".jp-Notebook .jp-CodeCell").filter(has=source).first

    def rewrite(self, text: str, source: str):
        """Type `source` over the code cell that holds `text`."""
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(source)

    def run_cell(self, text: str, seconds: float = 60):
        """Run the code cell that holds `text`, with Ctrl+Enter."""
        self.cell(text).locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        self.wait(seconds)

    def picture(self, path: Path):
        """Save one picture of the whole notebook, put together from windows that are `PAGE` pixels high."""
        panel = self.page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").first
        self.page.set_viewport_size({"width": WIDTH, "height": PAGE})
        self.page.wait_for_timeout(500)
        parts, reached = [], 0
        while True:
            top, height, whole = panel.evaluate(
                "(it, y) => { it.scrollTop = y; return [it.scrollTop, it.clientHeight, it.scrollHeight]; }", reached
            )
            self.page.wait_for_timeout(300)
            part = path.with_suffix(".part.png")
            panel.screenshot(path=part)
            with Image.open(part) as image:
                rim = 4 if parts else 0  # the panel's border: not in the middle of the picture
                parts.append((int(top) + rim, image.convert("RGB").crop((0, rim, *image.size))))
            part.unlink()
            if top + height >= whole - 1:
                break
            reached = top + height - 8
        tall = Image.new("RGB", (parts[0][1].width, int(top + height)))
        for top, image in parts:
            tall.paste(image, (0, top))
        tall.save(path)
