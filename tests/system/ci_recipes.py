#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Check the structure of the recipes in examples/ci, and write the commands of each to files.

usage: ci_recipes.py RECIPES DIRECTORY

DIRECTORY gets action-N.sh for each step of the composite action, workflow-N.sh for each command of
the workflow, gitlab-N.sh for each job, all for bash, and containerfile-N.sh for each RUN, and
entrypoint.sh, for sh. Exit status 77: there is no PyYAML here.
"""
import json
import os
import re
import sys

try:
    import yaml
except ImportError:
    print("no PyYAML here (Debian: python3-yaml)")
    sys.exit(77)

recipes, directory = sys.argv[1:]


def need(condition, text):
    if not condition:
        sys.exit(f"wrong: {text}")


def load(name):
    """Return a YAML file whose every scalar is text, as 'on' is a key and not a truth."""
    with open(os.path.join(recipes, name), encoding="utf-8") as file:
        return yaml.load(file, Loader=yaml.BaseLoader)


def write(name, text):
    with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
        file.write(text if text.endswith("\n") else text + "\n")


def expressions(value):
    return re.findall(r"\$\{\{ *([^}]*?) *\}\}", value)


def action():
    """Check the composite action; return its inputs."""
    found = load("github/action.yml")
    need(set(found) == {"name", "description", "inputs", "outputs", "runs"}, f"keys {set(found)}")
    for name, described in found["inputs"].items():
        need(set(described) <= {"description", "required", "default"} and described["description"],
             f"the input {name}")
        need((described["required"] == "true") != ("default" in described),
             f"the default of {name}")
    need(found["runs"]["using"] == "composite", "it is no composite action")
    steps, known = found["runs"]["steps"], {f"inputs.{name}" for name in found["inputs"]}
    for number, step in enumerate(steps, 1):
        need(set(step) <= {"name", "id", "shell", "env", "run"}, f"keys {set(step)} of a step")
        need(step["shell"] == "bash", "a step of a composite action names its shell")
        # An input in a command would be a part of the script, which is an injection.
        need(not expressions(step["run"]), "an expression in a command")
        variables = step.get("env", {})
        lines = []
        for variable, value in variables.items():
            need(expressions(value) and set(expressions(value)) <= known, f"{variable}: {value}")
            lines.append(f'{variable}=${{INPUT_{expressions(value)[0].split(".")[1].upper()}}}\n')
        write(f"action-{number}.sh", "".join(lines) + step["run"])
    outputs = {f"steps.{step['id']}.outputs.{name}" for step in steps if "id" in step
               for name in re.findall(r'echo "(\w+)=.*GITHUB_OUTPUT', step["run"])}
    for name, described in found["outputs"].items():
        need(set(described) == {"description", "value"} and
             set(expressions(described["value"])) <= outputs, f"the output {name}")
    return found["inputs"]


def workflow(inputs):
    found = load("github/workflow.yml")
    need(set(found) == {"name", "on", "jobs"}, f"keys {set(found)} of the workflow")
    number = 0
    for job in found["jobs"].values():
        need(set(job) == {"runs-on", "steps"}, f"keys {set(job)} of a job")
        for step in job["steps"]:
            need(("run" in step) != ("uses" in step), f"{step} neither runs nor uses")
            if step.get("uses", "").startswith("./"):
                given = set(step["with"])
                need(given <= set(inputs), f"the action has no inputs {given - set(inputs)}")
                need(all(name in given for name, one in inputs.items()
                         if one["required"] == "true"), "a required input is not given")
            if "run" in step:
                number += 1
                write(f"workflow-{number}.sh", step["run"])


def gitlab():
    found = load("gitlab-ci.yml")
    jobs = {name: job for name, job in found.items() if not name.startswith(".")}
    need(len(jobs) > 1, "no jobs")
    for number, job in enumerate(jobs.values(), 1):
        need(set(job) == {"extends", "image", "script"}, f"keys {set(job)} of a job")
        lines = found[job["extends"]]["before_script"] + job["script"]
        need(all(isinstance(line, str) for line in lines), "a line that YAML reads as a mapping")
        write(f"gitlab-{number}.sh", "\n".join(lines))


def containerfile():
    with open(os.path.join(recipes, "Containerfile"), encoding="utf-8") as file:
        text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", file.read(), flags=re.M))
    stages, number = {}, 0
    for line in filter(None, text.splitlines()):
        instruction, words = line.split(" ", 1)
        if instruction == "FROM":
            stages[words.partition(" AS ")[2]] = words
        elif instruction == "RUN":
            number += 1
            write(f"containerfile-{number}.sh", words)
        elif instruction == "COPY":
            source = re.match(r"--from=(\w+) ", words)
            need(not source or source.group(1) in stages, f"COPY {words}")
        elif instruction == "ENTRYPOINT":
            write("entrypoint.sh", f"exec {' '.join(json.loads(words))} \"$@\"")
        else:
            sys.exit(f"wrong: {line}")
    need(number > 3 and "" in stages, "no RUN or no last stage")


workflow(action())
gitlab()
containerfile()
