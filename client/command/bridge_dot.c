/* SPDX-License-Identifier: MIT */
/*
 * Bridges as a graph in Graphviz's language. Each bridge, each port and each thing that an uplink
 * is joined to is a node. Ports that are open or up are solid; the others are dashed. Names and
 * paths go into quoted strings, in which a quote, a backslash and the & of an entity are special.
 */
#include <stdio.h>
#include <string.h>

#include "client/command/bridge_view.h"
#include "client/command/output.h"
#include "client/command/uplink_joined.h"

/* Print the text as a part of a quoted string. */
static void dot_escaped(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', output);
		fputc(*text, output);
		if (*text == '&')
			fputs("amp;", output);
	}
}

/*
 * Print the name of a node. The kind is a part of it, because a bridge and a port may have the same
 * name. Uplinks that are joined to the same thing share its node.
 */
static void dot_node(const char *kind, const char *name)
{
	fprintf(output, "\"%s ", kind);
	dot_escaped(name);
	fputc('"', output);
}

static const char *or_nothing(const char *text)
{
	return text ? text : "";
}

static void dot_bridge(const struct memtun_record *bridge)
{
	const char *name = memtun_record_string(bridge, "name");
	const char *mode = memtun_record_string(bridge, "mode");
	const char *hub = memtun_record_string(bridge, "hub");

	fputc('\t', output);
	dot_node("bridge", name);
	fprintf(output, " [shape=box, style=bold, label=\"");
	dot_escaped(name);
	/* A bridge without ports has no mode yet. */
	fprintf(output, "\\n%s%s%s\"];\n", or_nothing(mode), mode ? " " : "",
		hub && strcmp(hub, "on") == 0 ? "hub" : "bridge");
}

/* Print the node of what an uplink is joined to, and the edge to it. */
static void dot_outside(const struct memtun_record *uplink, const char *style)
{
	char joined[UPLINK_JOINED_SIZE];
	const char *type = memtun_record_string(uplink, "type");

	uplink_joined(uplink, joined);
	fputc('\t', output);
	dot_node(type, joined);
	fprintf(output, " [shape=plaintext, label=\"");
	dot_escaped(joined);
	fprintf(output, "\"];\n\t");
	dot_node("port", memtun_record_string(uplink, "name"));
	fprintf(output, " -- ");
	dot_node(type, joined);
	fprintf(output, " [style=%s];\n", style);
}

static void dot_port(const struct memtun_record *bridge, const struct memtun_record *port)
{
	const char *name = memtun_record_string(port, "name");
	const char *type = memtun_record_string(port, "type");
	const char *state = or_nothing(memtun_record_string(port, "state"));
	bool works = strcmp(state, "open") == 0 || strcmp(state, "up") == 0;
	const char *style = works ? "solid" : "dashed";
	bool impaired = bridge_view_is_impaired(port);

	fputc('\t', output);
	dot_node("port", name);
	fprintf(output, " [shape=ellipse, style=%s, label=\"", style);
	dot_escaped(name);
	fprintf(output, "\\n%s %s%s\"%s];\n\t",
		type ? type : or_nothing(memtun_record_string(port, "mode")), state,
		impaired ? "+impaired" : "", impaired ? ", color=red" : "");
	dot_node("bridge", memtun_record_string(bridge, "name"));
	fprintf(output, " -- ");
	dot_node("port", name);
	fprintf(output, " [style=%s];\n", style);
	if (type)
		dot_outside(port, style);
}

int bridge_dot_print(const struct inventory *inventory)
{
	fputs("graph memtun {\n\trankdir=LR;\n", output);
	for (size_t i = 0; i < inventory->bridges.count; i++) {
		const struct memtun_record *bridge = inventory->bridges.records[i];
		size_t count;
		struct memtun_record **ports =
			inventory_ports(inventory, memtun_record_string(bridge, "name"), &count);

		dot_bridge(bridge);
		for (size_t port = 0; port < count; port++)
			dot_port(bridge, ports[port]);
	}
	fputs("}\n", output);
	return 0;
}
