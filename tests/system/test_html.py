#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The site that "make html" makes, and the links of the Markdown files: each link leads to a file, and
each fragment to an id in it. Where chromium is installed, no page is wider than a screen of 390 pixels,
and no name of a command in a synopsis and no option is broken."""
import html.parser
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

SOURCE = os.path.abspath(os.environ.get("top_srcdir", "."))
BUILD = os.path.abspath(os.environ.get("top_builddir", "build"))
SITE = os.path.join(BUILD, "html")
OTHERS = ("https://manpages.debian.org/",)  # a link may lead there, but nothing is loaded from there
SECONDS = 60

# The width of each page in a frame of 390 pixels, and how many names of commands and options it breaks.
FRAMES = """<!DOCTYPE html><title>wait</title><body><script>
const pages = %s, widths = [], broken = [];
function next() {
	if (widths.length == pages.length) {
		document.body.textContent = "widths " + widths.join(" ") + " broken " + broken.join(" ") + " end";
		return;
	}
	const frame = document.createElement("iframe");
	frame.width = 390;
	frame.height = 800;
	frame.style.border = 0;
	frame.onload = () => {
		const names = frame.contentDocument.querySelectorAll("table.Nm td:first-child code, code.Fl");
		widths.push(frame.contentDocument.documentElement.scrollWidth);
		broken.push(Array.from(names).filter(name => name.getClientRects().length > 1).length);
		frame.remove();
		next();
	};
	frame.src = pages[widths.length];
	document.body.append(frame);
}
next();
</script>"""


class Page(html.parser.HTMLParser):
    """The ids and the links of a page, and the elements that each page has."""

    def __init__(self, path):
        super().__init__()
        self.ids = []
        self.links = []
        self.loads = []
        self.elements = set()
        self.lang = None
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.add(tag)
        if tag == "html":
            self.lang = attributes.get("lang")
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        for name in ("src",) if tag != "link" else ("href",):
            if name in attributes:
                self.loads.append(attributes[name])


def heading_ids(path):
    """Return the ids that GitHub gives the headings of a Markdown file."""
    ids = set()
    for line in outside_code(path):
        heading = re.match(r"#+ +(.*)", line)
        if heading:
            text = re.sub(r"[`*]|\]\([^)]*\)", "", heading[1]).lower()
            ids.add(re.sub(r"[^\w -]", "", text).replace(" ", "-"))
    return ids


def outside_code(path):
    """Yield the lines of a Markdown file that are not in a block of code."""
    code = False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.lstrip().startswith("```"):
                code = not code
            elif not code:
                yield line


def markdown_files():
    """Return the Markdown files of the source, without those of builds."""
    found = []
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = [name for name in folders if not name.startswith(".") and
                      not os.path.exists(os.path.join(folder, name, "config.status")) and
                      name not in ("_build", "_inst", "node_modules", "target")]
        found += [os.path.join(folder, name) for name in files if name.endswith(".md")]
    return sorted(found)


class MarkdownTest(unittest.TestCase):
    def test_each_link_of_the_markdown_files_leads_to_a_file_and_a_heading(self):
        files = markdown_files()
        self.assertIn(os.path.join(SOURCE, "doc/tutorial/ci.md"), files)
        for path in files:
            text = re.sub(r"`[^`]*`", "", "".join(outside_code(path)))
            for link in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"https?:|mailto:", link):
                    continue
                file, _, fragment = link.partition("#")
                target = os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path
                with self.subTest(page=os.path.relpath(path, SOURCE), link=link):
                    self.assertTrue(os.path.exists(target), "it leads to nothing")
                    if fragment:
                        self.assertIn(fragment, heading_ids(target))


class SiteTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        environment = {name: value for name, value in os.environ.items()
                       if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        made = subprocess.run(["make", "-s", "-C", BUILD, "html"], env=environment, timeout=SECONDS,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if made.returncode and b"make html needs" in made.stdout:
            print("skipped a part:", made.stdout.decode().splitlines()[0])
            raise unittest.SkipTest("no converter")
        if made.returncode:
            raise AssertionError("make html failed: " + made.stdout.decode())
        cls.pages = {}
        for folder, _, files in os.walk(SITE):
            for name in files:
                if name.endswith(".html"):
                    path = os.path.join(folder, name)
                    cls.pages[path] = Page(path)

    def target(self, path, link):
        """Return the file that a link of the page leads to, and the fragment."""
        file, _, fragment = urllib.parse.unquote(link).partition("#")
        return os.path.normpath(os.path.join(os.path.dirname(path), file)) if file else path, fragment

    def test_the_site_has_readme_the_tutorial_and_the_manual(self):
        for page in ("index", "doc/index", "doc/tutorial/vpn", "man/index", "man/memtun.1", "NEWS"):
            self.assertIn(os.path.join(SITE, page + ".html"), self.pages)
        manual = [name for name in os.listdir(os.path.join(SOURCE, "man")) if name[-1].isdigit()]
        for page in manual:
            self.assertIn(os.path.join(SITE, "man", page + ".html"), self.pages)

    def test_each_link_leads_to_a_file_and_each_fragment_to_an_id(self):
        for path, page in self.pages.items():
            for link in page.links + page.loads:
                if link.startswith(OTHERS) or link == "data:,":
                    continue
                with self.subTest(page=os.path.relpath(path, SITE), link=link):
                    target, fragment = self.target(path, link)
                    self.assertTrue(os.path.isfile(target), "it leads to nothing")
                    if fragment:
                        self.assertIn(fragment, self.pages[target].ids)

    def test_nothing_is_loaded_from_elsewhere(self):
        for path, page in self.pages.items():
            for link in page.loads:
                self.assertFalse(":" in link and link != "data:,", f"{path} loads {link}")
        with open(os.path.join(SITE, "style.css"), encoding="utf-8") as style:
            self.assertNotRegex(style.read(), r"url\(|@import")

    def test_each_page_has_a_language_a_title_and_the_navigation(self):
        for path, page in self.pages.items():
            with self.subTest(page=os.path.relpath(path, SITE)):
                self.assertEqual(page.lang, "en")
                self.assertLessEqual({"title", "nav", "main", "h1"}, page.elements)
                self.assertEqual(len(page.ids), len(set(page.ids)), "an id is there twice")

    def test_each_page_can_be_reached_from_the_first_one(self):
        first = os.path.join(SITE, "index.html")
        reached, waiting = set(), [first]
        while waiting:
            path = waiting.pop()
            if path not in reached and path in self.pages:
                reached.add(path)
                waiting += [self.target(path, link)[0] for link in self.pages[path].links
                            if not link.startswith(OTHERS)]
        self.assertEqual(sorted(set(self.pages) - reached), [])

    def shown_by(self, command, home):
        """Return what a browser prints, or nothing if it does not come to an end."""
        try:
            return subprocess.run(command, env=dict(os.environ, HOME=home), timeout=SECONDS,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=False).stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            return ""

    def test_no_page_is_wider_than_390_pixels_or_breaks_a_name(self):
        browser = shutil.which("chromium")
        if not browser:
            print("skipped a part: no chromium here, which measures the width of the pages")
            return
        directory = tempfile.mkdtemp(prefix="memtun-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        pages = sorted(self.pages)
        frames = os.path.join(directory, "frames.html")
        with open(frames, "w", encoding="utf-8") as file:
            file.write(FRAMES % [f"file://{urllib.parse.quote(path)}" for path in pages])
        shown = self.shown_by(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--allow-file-access-from-files", f"--user-data-dir={directory}/profile",
             "--virtual-time-budget=30000", "--dump-dom", f"file://{frames}"], directory)
        found = re.search(r"widths ([\d ]+) broken ([\d ]+) end", shown)
        if not found:
            print("skipped a part: chromium does not run here")
            return
        widths, broken = (dict(zip(pages, map(int, numbers.split()))) for numbers in found.groups())
        self.assertEqual((len(widths), len(broken)), (len(pages), len(pages)))
        self.assertEqual({page: width for page, width in widths.items() if width > 390}, {})
        self.assertEqual({page: count for page, count in broken.items() if count}, {})


unittest.main()
