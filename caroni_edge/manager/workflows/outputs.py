"""What a workflow gives, or one that is nested in it, put together of what its steps have given.

Where an output is merged or picked of large values, this manager must have these here first, and look inside. Until
then the workflow runs on without a step to run, or the step that runs the nested one does; what has become of each
output is kept, so that no look is done twice, unless what was made for it is nowhere any more.
"""

from functools import partial
from typing import Any

import msgspec

from caroni_edge.manager.context import Context
from caroni_edge.manager.store.combined import CombinedOutput
from caroni_edge.manager.store.steps import StepRow
from caroni_edge.manager.workflows.instances import Instances
from caroni_edge.manager.workflows.links import Combined, MergeDue, Unfit, merge_due, value_of
from caroni_edge.manager.workflows.loading import look_rows
from caroni_edge.manager.workflows.propagation import Propagation
from caroni_edge.objects.objects import ObjectId
from caroni_edge.values.json import as_text
from caroni_edge.values.large import mismatch_of
from caroni_edge.values.parsing import parse_type

OF_THE_WORKFLOW = 0
"""In rows about what is looked into, in the place of a step: the outputs of the workflow itself."""


class Outputs:
    """Puts outputs together."""

    def __init__(self, context: Context, instances: Instances) -> None:
        """Find what flows by `instances`."""
        self._context, self._store, self._instances = context, context.store, instances

    def gathered(self, propagation: Propagation, step: StepRow | None) -> dict[str, Any] | None:
        """Return the outputs of a workflow; None where this manager must look into large values first.

        Args:
            propagation: Of the workflow.
            step: Which runs it, where it is a nested one.

        Raises:
            Unfit: They are not what the template says.
        """
        of = step.id if step else OF_THE_WORKFLOW
        try:
            return self.of(propagation, step)
        except MergeDue as due:
            self._store.looks.add(look_rows(propagation.row.seq, of, due.objects))
            self._context.looking.add((propagation.row.seq, of))
            return None

    def keep(self, workflow: int, step: int, name: str, value: Any, made: ObjectId | None) -> None:
        """Note what has become of an output, and that nobody need look into anything for it any more.

        Args:
            workflow: The workflow.
            step: Which runs it, where it is a nested one; otherwise `OF_THE_WORKFLOW`.
            name: The output.
            value: What it is.
            made: The object that was made for that, if one was.
        """
        self._store.combined.keep(workflow, step, CombinedOutput(name, as_text(value), made))
        self._store.looks.drop(workflow, step)

    def due(self, propagation: Propagation, step: StepRow | None) -> MergeDue | None:
        """Return what is to be put together for the outputs of a workflow (see `gathered`); None for nothing."""
        try:
            self.of(propagation, step)
        except MergeDue as due:
            return due
        except Unfit:  # a file has been made again since, and it is another one
            return None
        return None

    def of(self, propagation: Propagation, step: StepRow | None) -> dict[str, Any]:
        """Return the outputs of a workflow (see `gathered`).

        Raises:
            Unfit: They are not what the template says.
            MergeDue: This manager must look into large values first.
        """
        plan, of, prefix = propagation.plan, OF_THE_WORKFLOW, ""
        if step is not None:
            plan, of, prefix = plan.workflow_at(step.name), step.id, f"{step.path}/"
        look = partial(self._instances.look, propagation, of, prefix)
        outputs = {}
        for each in plan.outputs:
            try:
                outputs[each.name] = value_of(each.link, look)
            except Combined as combined:
                kept = self._store.combined.of(propagation.row.seq, of).get(each.name)
                if kept is None or (kept.made and not self._store.places.of(propagation.row.seq, kept.made)):
                    raise merge_due(each.name, combined.due) from None
                outputs[each.name] = msgspec.json.decode(kept.value)
            except Unfit as unfit:
                raise Unfit(f"output {each.name}: {unfit}") from unfit
            if words := mismatch_of(parse_type(each.type), outputs[each.name]):
                raise Unfit(f"output {each.name}: {words}")
        return outputs
