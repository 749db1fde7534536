#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make a site of README.md, of all pages that it leads to, and of the manual pages.

    doc/site.py SOURCE DIRECTORY VERSION

The environment variables LOWDOWN and MANDOC name the programs that convert Markdown and mdoc. The site
has the folders of the source: each Markdown page that README.md leads to is converted, README.md of a
folder to the folder's index.html, and each other file that a page links to is copied. A link to what
is not there is an error, and then the former site remains."""
import html
import os
import posixpath
import re
import shutil
import subprocess
import sys

NAVIGATION = (("index.html", "memtun"), ("doc/index.html", "Tutorial"), ("man/index.html", "Manual"),
              ("NEWS.html", "News"), ("CONTRIBUTING.html", "Source"))
ELSEWHERE = re.compile(r"^(https?|mailto):")
# Where a manual page of another project is.
OTHER_PAGES = "https://manpages.debian.org/"

TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{top}style.css">
</head>
<body>
<nav aria-label="Main">
{navigation}
</nav>
<main>
{body}
</main>
<footer>memtun {version}</footer>
</body>
</html>
"""


class SiteError(Exception):
    pass


def converted(path):
    """Return where the page made of a Markdown file is, in the site."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, "index.html" if name == "README.md" else
                          re.sub(r"\.md$", "", name) + ".html")


def heading_id(text):
    """Return the id that GitHub gives a heading, so that a link to it works there too."""
    return re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-")


def text_of(markup):
    return html.unescape(re.sub(r"<[^>]*>", "", markup))


class Site:
    def __init__(self, source, directory, version):
        self.source = source
        self.directory = directory
        self.version = version
        self.manual = sorted((name for name in os.listdir(os.path.join(source, "man"))
                              if re.search(r"\.[1-9]$", name)),
                             key=lambda name: (name[-1], name[:-2]))
        self.functions = {}

    # --- files ---

    def run(self, program, *words):
        """Return what a converter prints."""
        command = os.environ.get(program.upper()) or program
        done = subprocess.run([command, *words], stdout=subprocess.PIPE, check=False)
        if done.returncode:
            raise SiteError(f"{command} {' '.join(words)} failed with status {done.returncode}")
        return done.stdout.decode("utf-8")

    def write(self, path, title, body):
        """Write one page with its navigation."""
        top = "../" * path.count("/")
        links = []
        for target, name in NAVIGATION:
            here = ' aria-current="page"' if target == path else ""
            links.append(f'<a href="{top}{target}"{here}>{name}</a>')
        self.put(path, TEMPLATE.format(title=html.escape(title), top=top, body=body.strip(),
                                       navigation="\n".join(links), version=self.version))

    def put(self, path, text):
        target = os.path.join(self.directory, path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)

    def copy(self, path, target=None):
        target = os.path.join(self.directory, target or path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copyfile(os.path.join(self.source, path), target)

    # --- Markdown ---

    def make_pages(self):
        """Make the page of README.md and NEWS, and of each Markdown file that a page links to."""
        waiting = ["README.md", "NEWS"]
        made = set()
        while waiting:
            path = waiting.pop()
            if path in made:
                continue
            made.add(path)
            body = self.run("lowdown", "-Thtml", "--out-no-smarty", "--parse-no-metadata",
                            "--parse-no-intraemph", os.path.join(self.source, path))
            if path == "NEWS":
                body = "<h1>News</h1>\n" + body
            body = re.sub(r"<h(\d)[^>]*>(.*?)</h\1>", lambda h: '<h{0} id="{1}">{2}</h{0}>'.format(
                h[1], heading_id(text_of(h[2])), h[2]), body)
            body = re.sub(r'\b(href|src)="([^"]*)"',
                          lambda link: self.link(path, link[1], html.unescape(link[2]), waiting), body)
            body = self.link_manual(body, "../" * path.count("/") + "man/")
            heading = re.search(r"<h1[^>]*>(.*?)</h1>", body)
            if not heading:
                raise SiteError(f"{path} has no heading")
            title = text_of(heading[1])
            self.write(converted(path), title if title == "memtun" else f"{title} - memtun", body)

    def link(self, page, attribute, target, waiting):
        """Return the attribute for a link of the source's page, and see to it that its target is made."""
        file, _, fragment = target.partition("#")
        if file and not ELSEWHERE.match(target):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(page), file))
            if path.startswith("..") or not os.path.isfile(os.path.join(self.source, path)):
                raise SiteError(f"{page} links to {target}, which is no file")
            if path.endswith(".md"):
                waiting.append(path)
                path = converted(path)
            else:
                self.copy(path)
            target = posixpath.relpath(path, posixpath.dirname(page) or ".")
            target += "#" + fragment if fragment else ""
        return f'{attribute}="{html.escape(target)}"'

    def link_manual(self, body, folder):
        """Make links of the manual's pages that the text names, such as memtun(1)."""
        inside = 0
        parts = re.split(r"(<[^>]*>)", body)
        for at, part in enumerate(parts):
            tag = re.match(r"<(/?)(a|code|pre|h[1-6])\b", part)
            if tag:
                inside += -1 if tag[1] else 1
            elif not inside and not part.startswith("<"):
                parts[at] = re.sub(r"\b(memtun[\w-]*)\(([1-9])\)",
                                   lambda name: self.named_page(name, folder), part)
        return "".join(parts)

    def named_page(self, name, folder):
        page = f"{name[1]}.{name[2]}"
        return f'<a href="{folder}{page}.html">{name[0]}</a>' if page in self.manual else name[0]

    # --- the manual ---

    def make_manual(self):
        """Make the manual's pages, and their index with one line for each."""
        bodies = {}
        for page in self.manual:
            body = self.run("mandoc", "-Thtml", "-Ofragment,man=%N.%S.html",
                            os.path.join(self.source, "man", page))
            # A page has one heading of its own, and the sections are below it.
            body = re.sub(r"(</?)h([12])\b", lambda tag: f"{tag[1]}h{int(tag[2]) + 1}", body)
            bodies[page] = body
            for function in re.findall(r'id="(memtun_[a-z0-9_]+)"', body):
                self.functions.setdefault(f"{function}.3", f"{page}.html#{function}")
        lines = []
        for page, body in bodies.items():
            name = re.sub(r"\.(.)$", r"(\1)", page)
            body = re.sub(r'href="#([^"]*)"',
                          lambda link: self.section(page, bodies, link), body)
            body = re.sub(r'href="([\w.-]+\.[1-9]\w*)\.html"', self.reference, body)
            self.write(f"man/{page}.html", f"{name} - memtun", f"<h1>{name}</h1>\n{body}")
            what = text_of(re.search(r'class="Nd"[^>]*>(.*?)</', body, re.DOTALL)[1])
            lines.append(f'<dt><a href="{page}.html">{name}</a></dt>\n'
                         f"<dd>{html.escape(' '.join(what.split()))}</dd>")
        lines = "\n".join(lines)
        self.write("man/index.html", "Manual - memtun", f"<h1>Manual</h1>\n<dl>\n{lines}\n</dl>")

    def section(self, page, bodies, link):
        """Return the href of a section, which may be on the page that the text names behind it."""
        if f'id="{link[1]}"' in bodies[page]:
            return link[0]
        for other in re.findall(r'href="([\w.-]+\.[1-9])\.html"', bodies[page][link.start():]):
            if f'id="{link[1]}"' in bodies.get(other, ""):
                return f'href="{other}.html#{link[1]}"'
        raise SiteError(f"{page} refers to the section {link[1]}, which it does not have, "
                        "nor has a page that it names behind it")

    def reference(self, link):
        """Return the href of a page of this manual, of a function in it, or of another project's page."""
        page = link[1]
        target = f"{page}.html" if page in self.manual else \
            self.functions.get(page, OTHER_PAGES + page)
        return f'href="{target}"'


def main(source, directory, version):
    new = directory + ".new"
    shutil.rmtree(new, ignore_errors=True)
    site = Site(source, new, version)
    site.make_pages()
    site.make_manual()
    site.copy("doc/style.css", "style.css")
    shutil.rmtree(directory, ignore_errors=True)
    os.rename(new, directory)


if len(sys.argv) != 4:
    sys.exit("usage: site.py SOURCE DIRECTORY VERSION")
try:
    main(*sys.argv[1:])
except (SiteError, OSError) as error:
    sys.exit(f"site.py: {error}")
