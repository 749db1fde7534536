/* SPDX-License-Identifier: MIT */
#include "tests/bench/netns_path.h"

#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/process.h"

/* Become the script. */
static void script_run(const char *kind, const int orders[2], const int answers[2])
{
	const char *source = getenv("top_srcdir");
	char script[PATH_MAX], directory[PATH_MAX];

	if (dup2(orders[0], STDIN_FILENO) < 0 || dup2(answers[1], STDOUT_FILENO) < 0)
		err(1, "dup2");
	close(orders[0]);
	close(orders[1]);
	close(answers[0]);
	close(answers[1]);
	snprintf(script, sizeof(script), "%s/tests/bench/netns.sh", source ? source : ".");
	if (!realpath(process_memtund, directory))
		err(1, "%s", process_memtund);
	*strrchr(directory, '/') = '\0';
	execl("/bin/sh", "sh", script, kind, directory, (char *)NULL);
	err(1, "cannot run sh");
}

static char *line_read(struct netns_path *path, char line[], int size)
{
	if (!fgets(line, size, path->answers))
		errx(1, "netns.sh has ended");
	line[strcspn(line, "\n")] = '\0';
	return line;
}

const char *netns_path_start(struct netns_path *path, const char *kind)
{
	int orders[2], answers[2];

	/* The other scripts must not keep an end of these pipes open. */
	if (pipe2(orders, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
		err(1, "pipe2");
	path->pid = process_fork();
	if (path->pid == 0)
		script_run(kind, orders, answers);
	close(orders[0]);
	close(answers[1]);
	path->orders = fdopen(orders[1], "w");
	path->answers = fdopen(answers[0], "r");
	if (!path->orders || !path->answers)
		err(1, "fdopen");
	line_read(path, path->reason, sizeof(path->reason));
	if (strcmp(path->reason, "ready") == 0)
		return NULL;
	netns_path_end(path);
	return path->reason;
}

void netns_path_end(struct netns_path *path)
{
	/* The script ends at the end of its input. */
	fclose(path->orders);
	fclose(path->answers);
	process_wait(path->pid);
}

double netns_path_measure(struct netns_path *path)
{
	char line[64];
	double rate;

	fputs("measure\n", path->orders);
	fflush(path->orders);
	rate = strtod(line_read(path, line, sizeof(line)), NULL);
	if (rate <= 0)
		errx(1, "iperf3 has measured nothing");
	return rate;
}
