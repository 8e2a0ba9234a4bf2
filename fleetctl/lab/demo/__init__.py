"""The lab's demonstration: a small application in two releases, its playbook, and the show.

`application` is release one; `second` is laid over it for release two. Start reading at `show`.
"""
