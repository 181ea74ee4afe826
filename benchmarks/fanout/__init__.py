"""How fast and how dear is it to tell a thousand proxies of one change?

`run.py` is the benchmark. It starts servers (`server.py` is ours, `peer.py` builds go-control-plane's) and load clients
(`load_client.py`) as processes of their own, tells the servers to change (`content.py`), and asks the clients when the
change had arrived.
"""
