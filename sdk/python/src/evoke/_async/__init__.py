"""Everything that talks to a server, for the event loop.

The modules of `evoke._sync` are made of those of this folder by `tools/sync_face.py`, all but
`net`, which is what is really different. Change these, then run it; a test compares.
"""
