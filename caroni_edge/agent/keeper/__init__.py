"""The keeper: a small process beside an agent whose children the jobs are, so that they outlive the agent.

Agents are upgraded, stopped and killed; their jobs go on. The keeper is imported whole before it serves, uses the
standard library alone, and loads nothing later: its own files may be replaced or gone by then. It is one thread around
one selector, which holds a pidfd for each job.

It listens on `keeper.sock` in the agent's state directory (mode 0600). Agent and keeper send each other JSON objects,
one a line. Fields are only added, so that a new agent can talk with an old keeper. Requests, by their `do`:

- `start`: job, argv, env, timeout_s, memory_bytes, nice, log_bytes, about (kept in the start record); secrets: more of
  its environment, which is in no record, and kept out of its log (`masking.py`); database, serial: how far the agent's
  database had come (`orders.py`); slots: it is started when fewer jobs than that run here, in the
  order in which they came (`ahead.py`); without it at once
- `recall`: start nothing that waits for its turn
- `kill`: job, reason
- `list`; takes_over: what other connections have asked for is dropped, and what waits for its turn
- `stop`: end as soon as nothing runs

Events, by their `event`, for every agent that is connected:

- `hello`: program (its version), pid; ends and bounds, in the words of `strengths.py`
- `started`: job, pid, date; of a job that has waited for its turn only when it has run for a moment: of a shorter one
  its end says as much
- `recalled`: jobs; what waited, and will not be started. All others that were handed over were started, and are told
- `exited`: the record of the end, which is on disk by now
- `ended`: ends; the events `exited` of several jobs, while others wait for their turn
- `refused`: job, running; it was started before, or does not run
- `unstarted`: job, reason, no_room; nothing was recorded
- `running`: jobs; ahead: those that wait for their turn; database and serial, the greatest of all start orders; the
  answer to `list`
- `unknown`: do, job (as far as they could be read), reason; what could not be done

It ends when there is neither a job nor an agent for some minutes, and at `stop` or SIGTERM once no job runs. A keeper
that was killed is replaced by the agent. The new one watches the jobs of the old one, but nobody can know their exit
status then, and while there is no keeper nobody keeps their deadlines.

The end of a job is the end of all that it has started (`trees.py`), and is told when the last of it is gone.
"""

from caroni_edge.agent.keeper.server import main

__all__ = ["main"]
