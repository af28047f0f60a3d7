"""What `check-config` looks for in what starts workflows by itself: templates that are not there, and JavaScript."""

from collections.abc import Collection, Iterator

from caroni_edge.config.model import ManagerConfig
from caroni_edge.documents.documents import Problem, load, nearest
from caroni_edge.javascript.syntax import Reader
from caroni_edge.manager.triggers.evaluation import texts_of


def automation_mistakes(config: ManagerConfig, templates: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong, beside what the configuration itself tells; nothing is run."""
    document = load(config.path)
    named = [("triggers", rule.name, rule.template) for rule in config.rules]
    named += [("schedules", schedule.name, schedule.template) for schedule in config.schedules]
    for section, name, template in named:
        if template not in templates:
            where = document.where(section, name, "template")
            yield Problem(where, f"there is no template {template}{nearest(template, templates)}")
    with Reader() as reader:
        for rule in config.rules:
            texts = [*texts_of(rule), *([rule.when] if rule.when else [])]
            scripts = [script for text in texts for script in text.scripts]
            if not scripts:
                continue
            mistakes = reader.mistakes([script.body for script in scripts])
            for script, mistake in zip(scripts, mistakes, strict=True):
                if mistake is not None:
                    yield Problem(document.where("triggers", rule.name), f"{script.text[:200]}: {mistake}")
