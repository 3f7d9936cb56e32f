"""Everything that talks to a server, for threads. Made of `evoke._async`, all but `net`."""
