"""Running a plan: the reducer decides, the driver orders, the journal remembers.

`reducer` is pure: `(state, event) -> records, commands`. `driver` makes each record durable before
the effect it announces. The same reducer runs live, in replay and in simulation. Start reading at
`records` (the facts), then `state`, `reducer`, `driver`.
"""
