/*
 * new_relay: the relay's side of the protocol `new`: its ports.
 *
 * One port takes control and data connections. A connection is asked nothing:
 * its first line says what it is ([HELLO], [DATA]), and silence makes it a
 * plain server. See "new" in protocols.md.
 */
#include "endpoint.h"
#include "new_conn.h"
#include "new_words.h"

static struct endpoints endpoints;

static int setup(const struct service_rules *rules, int listens, int ports)
{
    if (endpoints_setup(&endpoints, listens) != 0 || new_offer_setup(rules, ports) != 0)
        return -1;
    return new_conn_setup(rules, &new_words, ports + rules->max_unknown);
}

static int bind_listen(const struct relay_listen *l, unsigned *failed)
{
    return endpoint_bind_pool(&endpoints, l, failed);
}

static int start(void)
{
    return endpoints_start(&endpoints, new_conn_accepted);
}

static void stop(void)
{
    struct new_conn *c;

    for (size_t i = 0; (c = new_conn_at(i)) != NULL; i++) {
        if (c->control.offer != NULL)
            new_offer_close(c->control.offer, "drain");
        if (c->pool != NULL)
            new_conn_close(c);
    }
    endpoints_stop(&endpoints);
}

const struct relay_proto new_relay = {
    .name = "new",
    .pool = 200,
    .own_ports = 1,
    .proves = true,
    .setup = setup,
    .bind = bind_listen,
    .start = start,
    .keys_changed = new_words_keys_changed,
    .stop = stop,
};
