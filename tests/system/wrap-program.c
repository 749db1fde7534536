/* SPDX-License-Identifier: MIT */
/*
 * A program that opens /dev/net/tun in a way that its first argument names, to be run under memtun
 * wrap by the tests. It prints what happened, and exits with 1 if something went wrong.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <linux/filter.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define FRAME 60

static int device_open(void)
{
	return open("/dev/net/tun", O_RDWR | O_CLOEXEC);
}

static int attach(int fd, char name[IFNAMSIZ])
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};

	memcpy(request.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return -1;
	memcpy(name, request.ifr_name, IFNAMSIZ);
	return 0;
}

/* Open a TAP. End the program if that fails. */
static int tap(const char *template)
{
	char name[IFNAMSIZ] = "";
	int fd = device_open();

	strcpy(name, template);
	if (fd < 0)
		err(1, "open");
	if (attach(fd, name) < 0)
		err(1, "TUNSETIFF");
	printf("%s\n", name);
	fflush(stdout);
	return fd;
}

static bool has_name(int fd)
{
	struct ifreq request = {0};

	return ioctl(fd, TUNGETIFF, &request) == 0;
}

/* Write a frame, wait for one, and stay until the input ends. */
static void echo(int fd)
{
	char frame[2048] = {0};
	ssize_t length;

	memset(frame, 0xff, 6);
	if (write(fd, frame, FRAME) != FRAME)
		err(1, "write");
	length = read(fd, frame, sizeof(frame));
	printf("read %zd\n", length);
	fflush(stdout);
	while (read(STDIN_FILENO, frame, sizeof(frame)) > 0)
		;
}

/* ------------------------------------------------------------------------------ ways */

/* Known again after dup, fork, exec (the numbers are arguments), and passing to another process. */
static void inherited(void)
{
	int fd = tap("dup%d");
	int copy = dup(fd);
	char number[16];

	close(fd);
	if (!has_name(copy))
		errx(1, "a duplicate is not known");
	if (fork() == 0) {
		if (!has_name(copy))
			errx(1, "a child's descriptor is not known");
		if (daemon(1, 1) < 0 || !has_name(copy))
			errx(1, "a daemon's descriptor is not known");
		snprintf(number, sizeof(number), "%d", copy);
		execl("/proc/self/exe", "wrap-program", "known", number, NULL);
		err(1, "exec");
	}
	close(copy);
	while (wait(NULL) > 0)
		;
}

static void known(const char *number)
{
	if (!has_name(atoi(number)))
		errx(1, "it is not known after exec");
	puts("known");
}

#define THREADS 20
#define OPENS 50

static void *opener(void *unused)
{
	(void)unused;
	for (int i = 0; i < OPENS; i++) {
		char name[IFNAMSIZ] = "";
		int fd = device_open();

		if (fd < 0 || attach(fd, name) < 0 || !has_name(fd))
			err(1, "open in a thread");
		close(fd);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t all[THREADS];

	for (int i = 0; i < THREADS; i++) {
		if (pthread_create(&all[i], NULL, opener, NULL))
			errx(1, "pthread_create");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
	printf("%d opens\n", THREADS * OPENS);
}

static void ignore(int signal)
{
	(void)signal;
}

/* A timer of 150 microseconds interrupts everything. */
static void timer(void)
{
	const struct sigaction action = {.sa_handler = ignore, .sa_flags = SA_RESTART};
	const struct itimerval every = {{0, 150}, {0, 150}};

	if (sigaction(SIGALRM, &action, NULL) < 0 || setitimer(ITIMER_REAL, &every, NULL) < 0)
		err(1, "timer");
	for (int i = 0; i < 300; i++) {
		char name[IFNAMSIZ] = "";
		int fd = device_open();

		if (fd < 0)
			err(1, "open %d", i);
		if (attach(fd, name) < 0)
			err(1, "TUNSETIFF %d", i);
		close(fd);
	}
	puts("300 opens");
}

/* Opens until the limit of descriptors is reached: the soft limit, or both. */
static void limit(const char *which)
{
	struct rlimit few;
	int count = 0;

	close_range(3, ~0U, 0);
	if (getrlimit(RLIMIT_NOFILE, &few) < 0)
		err(1, "getrlimit");
	few.rlim_cur = 200;
	if (strcmp(which, "hard") == 0)
		few.rlim_max = few.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &few) < 0)
		err(1, "setrlimit");
	while (device_open() >= 0)
		count++;
	printf("%s after %d of 200\n", strerrorname_np(errno), count + 3);
}

/* A filter of the program's own, which allows everything. */
static void filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {1, &allow};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		err(1, "PR_SET_SECCOMP");
	close(tap("own%d"));
}

static void undumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		err(1, "PR_SET_DUMPABLE");
	printf("%s\n", device_open() < 0 ? strerrorname_np(errno) : "opened by the kernel");
}

/* Print the effective user of this set-user-ID program, and whether it gets a device. */
static void rights(void)
{
	printf("euid %d\n", (int)geteuid());
	fflush(stdout);
	close(tap("set%d"));
}

static void close_all(void)
{
	int fd;

	close_range(3, ~0U, 0);
	fd = device_open();
	printf("open is %d\n", fd);
}

/* The supervisor is killed between two opens: frames go on, opens fail, other files open. */
static void orphan(void)
{
	int fd = tap("orphan");
	char line[16];

	if (!fgets(line, sizeof(line), stdin))
		errx(1, "no line");
	printf("open: %s\n", device_open() < 0 ? strerrorname_np(errno) : "opened");
	printf("read-only: %s\n",
	       open("/dev/null", O_RDONLY) < 0 ? strerrorname_np(errno) : "opened");
	fflush(stdout);
	echo(fd);
}

/* Memory that changes while the call is looked at: the path flips between two files. */
static char flipped[16] = "/dev/null";

static void *flip(void *unused)
{
	(void)unused;
	for (;;) {
		memcpy(flipped, "/dev/net/tun", 13);
		memcpy(flipped, "/dev/null\0\0\0", 13);
	}
	return NULL;
}

static void change(void)
{
	pthread_t flipper;

	if (pthread_create(&flipper, NULL, flip, NULL))
		errx(1, "pthread_create");
	for (int i = 0; i < 2000; i++)
		close(open(flipped, O_RDWR));
	close(tap("after%d"));
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "";

	if (strcmp(way, "echo") == 0)
		echo(tap(argv[2]));
	else if (strcmp(way, "inherited") == 0)
		inherited();
	else if (strcmp(way, "known") == 0)
		known(argv[2]);
	else if (strcmp(way, "threads") == 0)
		threads();
	else if (strcmp(way, "timer") == 0)
		timer();
	else if (strcmp(way, "limit") == 0)
		limit(argv[2]);
	else if (strcmp(way, "filter") == 0)
		filter();
	else if (strcmp(way, "undumpable") == 0)
		undumpable();
	else if (strcmp(way, "rights") == 0)
		rights();
	else if (strcmp(way, "close_all") == 0)
		close_all();
	else if (strcmp(way, "orphan") == 0)
		orphan();
	else if (strcmp(way, "change") == 0)
		change();
	else
		errx(2, "no such way: %s", way);
	/* Without LeakSanitizer, which needs descriptors and a dumpable process. */
	fflush(stdout);
	_exit(0);
}
