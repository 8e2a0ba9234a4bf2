"""A plan to rehearse, made from text."""

from __future__ import annotations

from fleetctl.plan.compile import compile_plan
from fleetctl.plan.model import Plan
from fleetctl.plan.request import PlanRequest
from fleetctl.playbook.kinds import Artifact
from fleetctl.playbook.load import read_playbook
from tests.labfixture import a_fleet

PLAYBOOK = """\
title: Saturday push
secrets: { chat: { env: CHAT_HOOK } }
notify:
  - webhook: chat
limits: { admin-api: 8, mailer: 1/s }
phases:
  - name: db
    hosts: tier=db
    batches: [1, 100%]
    throttle: 6/min
    gates:
      - disk: { path: /srv, free: 5% }
      - approval: Upgrade the databases?
        when: before
      - http: { url: "https://{{host.address}}/status/" }
        interval: 6s
        soak: 1m
      - tcp: 443
      - command: { run: "curl https://admin.example", where: here }
    steps:
      - deploy: { to: /srv/app, restart: "systemctl restart app" }
      - run: rm -rf /srv/cache && /srv/app/upgrade --force
        name: upgrade the schema
        check: /srv/app/upgrade --check
        undo: /srv/app/downgrade
        idempotent: true
      - wait: 1m
      - run: drop {{item}}
        name: warm the caches
        foreach: { list: "/srv/app/instances" }
  - name: web
    hosts: tier=web
    steps:
      - upload: { from: motd, to: /etc/motd }
      - run: [systemctl, reload, nginx]
        name: reload
      - run: cat
        name: use the token
        secrets: { stdin: chat }
"""


def a_plan() -> Plan:
    """Two db and two web hosts with addresses far away."""
    fleet = a_fleet({"db": ["db001", "db002"], "web": ["web001", "web002"]})
    return compile_plan(
        PlanRequest(
            fleet=fleet,
            playbook=read_playbook(PLAYBOOK, "push.yaml", "/playbooks"),
            measure=lambda path: ("0" * 64, 12_000_000),
            artifact=lambda release: Artifact(release, "/rel/r2.tar.gz", "1" * 64, 900_000_000),
            read_file=str,
            releases={"db": "r2", "web": "r2"},
        )
    )
