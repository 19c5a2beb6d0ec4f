"""The portal's own server: slow clients cost no thread, and nothing that comes or goes fills the memory.

One loop of asyncio holds all connections and reads and writes them; threads run Django (decision 44). `wire` is one
connection, `incoming` a body on its way from the loop to a thread, `lanes` the threads, `turns` who is next for one
(decision 52), `askers` who that is, `portal` the process.
"""
