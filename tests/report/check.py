"""Pages of `orepa_tool report` in a headless Chromium: nothing complains, nothing is fetched, and what there should be to see
and to use is there.

`make test-report` runs it. TOOL: the program. PICTURES, where it is set: a folder for screenshots.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import runs
from browser import Browser

TOOL = pathlib.Path(os.environ["TOOL"]).resolve()
PICTURES = os.environ.get("PICTURES")


def report(*words):
    subprocess.run([TOOL, "report", *words], check=True, stdout=subprocess.DEVNULL)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp())
        runs.write_run(cls.folder / "orepa", 1)
        runs.write_run(cls.folder / "plain", 2, speed=.6)
        runs.write_run(cls.folder / "many", 3, classes=[f"class {c}" for c in range(300)])
        runs.write_small_run(cls.folder / "small")
        for run in ("orepa", "many", "small"):
            report(cls.folder / run)
        report(*(cls.folder / run for run in ("orepa", "plain", "small")), "--output", cls.folder / "compared.html")
        cls.browser = Browser(cls.folder / "profile")

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        shutil.rmtree(cls.folder)

    def open(self, page, **how):
        self.browser.open(self.folder / page, **how)

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])
        self.assertEqual(self.browser.requests(), [])

    def value(self, expression):
        return self.browser.evaluate(expression)

    def count(self, selector):
        return self.value(f"document.querySelectorAll({selector!r}).length")

    def texts(self, selector):
        return self.value(f"[...document.querySelectorAll({selector!r})].map(element => element.textContent)")

    def click(self, selector, index=0):
        self.value(f"document.querySelectorAll({selector!r})[{index}].click()")

    def picture(self, name):
        if PICTURES:
            pathlib.Path(PICTURES).mkdir(parents=True, exist_ok=True)
            self.browser.screenshot(pathlib.Path(PICTURES, f"{name}.png"))

    def test_a_run_has_all_sections(self):
        for scheme in ("light", "dark"):
            self.open("orepa/report.html", scheme=scheme)
            self.picture(f"run_{scheme}")
        self.assertEqual(self.value("document.title"), "orepa")
        self.assertEqual(self.texts("h2"), ["Figures", "Curves", "Last test", "Branches", "Network", "Configuration"])
        self.assertEqual(self.texts("#curves figcaption > span"),
                         ["Loss", "Accuracy", "Learning rate", "Images a second", "Time spent waiting for data"])
        self.assertEqual(self.count("#branches figure"), len(runs.LAYERS))
        self.assertEqual(self.count("#branches figure:first-child path.line"), len(runs.BRANCHES))
        self.assertEqual(self.count(".confusion rect"), 100)
        self.assertEqual(self.count(".pictures img"), 12)
        self.assertTrue(self.value("[...document.images].every(image => image.complete && image.naturalWidth === 28)"))
        self.assertEqual(self.count("#network tbody tr"), 8)
        self.assertEqual(self.texts("#network tfoot td")[2:], ["187,584", "55,296", "5,549,064,192"])
        self.assertIn(["iterations", "7,035"],
                      self.value("[...document.querySelectorAll('#figures tr')].map(row => [...row.cells].map(c => c.textContent))"))
        # What stands in a file is text, whatever it looks like.
        self.assertIn(runs.HOSTILE, self.texts("pre")[0])
        self.assertEqual(self.count("img[src='x']"), 0)

    def test_dark_is_dark(self):
        shade = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
        self.open("orepa/report.html", scheme="light")
        light = self.value(shade)
        self.open("orepa/report.html", scheme="dark")
        self.assertGreater(light, 600)
        self.assertLess(self.value(shade), 150)

    def test_a_legend_switches_curves(self):
        self.open("orepa/report.html")
        lines = "#curves figure:first-child path.line"
        self.assertEqual(self.count(lines), 3)  # training, its mean, the test's loss
        self.click("#curves .legend button")
        self.assertEqual(self.count(lines), 1)
        self.assertEqual(self.value("document.querySelector('#curves .legend button').ariaPressed"), "false")
        self.click("#curves .legend button", 1)
        self.assertEqual(self.count(lines), 0)
        self.assertEqual(self.texts("#curves figure:first-child svg[role=img] text"), ["nothing to show"])
        self.click("#curves .legend button")
        self.assertEqual(self.count(lines), 2)

    def test_axes_change(self):
        self.open("orepa/report.html")
        words = "#curves figure:first-child svg[role=img] text"
        self.assertIn("iteration", self.texts(words))
        self.assertIn("2.5", self.texts(words))
        self.click("#controls button", 1)
        self.assertIn("epoch", self.texts(words))
        self.assertIn("15", self.texts(words))
        self.click("#curves figcaption button")
        self.assertIn("0.2", self.texts(words))
        self.assertNotIn("2.5", self.texts(words))
        self.assertFalse(self.value("document.querySelector('main').innerHTML.includes('NaN')"))

    def test_values_are_read_by_pointer_and_by_keys(self):
        self.open("orepa/report.html")
        place = self.value("(() => { const box = document.querySelectorAll('#curves svg[role=img]')[1].getBoundingClientRect();"
                           "scrollTo(0, box.top); const seen = document.querySelectorAll('#curves svg[role=img]')[1]"
                           ".getBoundingClientRect(); return [seen.right - 16, seen.top + 60]; })()")
        self.browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
        reading = self.texts("#curves .reading")[1]
        self.assertIn("iteration 7,035, epoch 15", reading)
        self.assertIn("test accuracy93.49 %", reading)
        self.value("document.querySelector('#curves svg[role=img]').focus()")
        self.picture("reading")
        for key, iteration in (("End", "7,035"), ("Home", "1"), ("Escape", "")):
            self.browser.call("Input.dispatchKeyEvent", type="keyDown", key=key)
            reading = self.texts("#curves .reading")[0]
            self.assertTrue(reading.startswith(f"iteration {iteration}") if iteration else reading == "", reading)

    def test_branches_as_norms(self):
        self.open("orepa/report.html")
        ticks = "#branches figure:first-child svg[role=img] text"
        self.assertTrue(any("%" in tick for tick in self.texts(ticks)))
        self.click("#branches button", 1)
        self.assertFalse(any("%" in tick for tick in self.texts(ticks)))

    def test_runs_beside_each_other(self):
        for scheme in ("light", "dark"):
            self.open("compared.html", scheme=scheme)
            self.picture(f"compared_{scheme}")
        self.assertEqual(self.texts("h1"), ["Comparison of 3 runs"])
        self.assertEqual(self.texts("#figures thead th"), ["", "orepa", "plain", "small"])
        self.assertEqual(self.texts("#controls [aria-label=Runs] button"), ["orepa", "plain", "small"])
        lines = "#curves figure:first-child path.line"
        self.assertEqual(self.count(lines), 7)
        self.click("#controls button")
        self.assertEqual(self.count(lines), 4)
        self.assertEqual(self.count("#branches path.line"), 2 * len(runs.LAYERS) * len(runs.BRANCHES))
        self.assertEqual(self.texts("#last-test h3:not(.beside h3)")[0], "orepa")

    def test_many_classes_have_no_matrix(self):
        self.open("many/report.html")
        self.assertEqual(self.count(".confusion"), 0)
        self.assertEqual(self.count("#last-test tbody tr"), 20)

    def test_a_run_with_little_in_it(self):
        self.open("small/report.html", width=500)
        self.picture("small")
        self.assertEqual(self.texts("h2"), ["Figures", "Curves"])
        self.assertEqual(self.texts("#controls"), [""])

    def test_fits_a_phone(self):
        self.open("compared.html", width=390)
        self.picture("phone")
        self.assertLessEqual(self.value("document.documentElement.scrollWidth"), 390)

    def test_prints(self):
        self.open("orepa/report.html", scheme="dark")
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        self.assertEqual(self.value("getComputedStyle(document.querySelector('#controls')).display"), "none")
        self.browser.call("Emulation.setEmulatedMedia", media="")
        self.assertGreater(len(self.browser.pdf()), 20000)

    def test_everything_to_press_has_a_name(self):
        self.open("compared.html")
        nodes = self.browser.call("Accessibility.getFullAXTree")["nodes"]
        nameless = [node["role"]["value"] for node in nodes if not node["ignored"] and node["role"]["value"] in
                    ("button", "image", "img", "region", "toolbar") and not node.get("name", {}).get("value")]
        self.assertEqual(nameless, [])


if __name__ == "__main__":
    unittest.main()
