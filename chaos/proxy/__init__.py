"""A Toxiproxy-compatible server in a process of its own: `python -m chaos.proxy -port 8474`.

It speaks the API of Toxiproxy 2.12 to the byte, so any Toxiproxy client drives it. Where it differs
it does so on purpose:

    Toxiproxy                                        here
    dials in the accept loop: one hanging dial       dials per connection; accepting, the API and
        stops accepts and the API                        other connections go on
    DELETE of a toxic and reset can hang under load  both are done before they answer
    DELETE of a waiting `reset_peer` blocks          answers at once; the reset still happens
    `timeout` > 0 never ends once the sender has     ends after its time
        closed, and spins
    a refused PATCH of a toxic is half applied       is not applied at all
    adding or removing a toxic draws the toxicity    neighbours are not disturbed
        of the toxic before it again and lets its
        waiting chunk pass
    a proxy has an accidental `Logger` member        has none
    `json: cannot unmarshal ...` after               own words after the same prefix
        `bad request body: `
    no bound on a request body                       1 MiB, then 413

It builds the toxics of `chaos.proxy.toxics`; another type is refused as `invalid toxic type`.
"""
