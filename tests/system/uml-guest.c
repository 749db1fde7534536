/* SPDX-License-Identifier: MIT */
/*
 * The first process of a User Mode Linux: it gives vec0 the address on the kernel's command line
 * (guest=ADDRESS), sends a datagram to 10.0.0.1 until that host echoes it, says so, and halts.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/time.h>

#define TEXT "from User Mode Linux"

/* Set the interface up with this address, in 10.0.0.0/24. */
static int interface_set_up(int fd, const char *address)
{
	struct ifreq request = {.ifr_name = "vec0"};
	struct sockaddr_in name = {.sin_family = AF_INET};

	inet_pton(AF_INET, address, &name.sin_addr);
	memcpy(&request.ifr_addr, &name, sizeof(name));
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return -1;
	inet_pton(AF_INET, "255.255.255.0", &name.sin_addr);
	memcpy(&request.ifr_netmask, &name, sizeof(name));
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		return -1;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

/* Send the text until it comes back, at most 20 times. */
static int text_is_echoed(int fd)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7)};
	struct timeval second = {1, 0};
	char answer[sizeof(TEXT)] = "";

	inet_pton(AF_INET, "10.0.0.1", &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	for (int i = 0; i < 20 && strcmp(answer, TEXT) != 0; i++) {
		sendto(fd, TEXT, strlen(TEXT), 0, (struct sockaddr *)&to, sizeof(to));
		recv(fd, answer, strlen(TEXT), 0);
	}
	return strcmp(answer, TEXT) == 0;
}

int main(void)
{
	/* The kernel hands its unknown arguments on in the environment. */
	const char *address = getenv("guest");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (!address || interface_set_up(fd, address) < 0)
		perror("cannot set vec0 up");
	else if (text_is_echoed(fd))
		printf("%s was answered\n", address);
	else
		puts("no answer");
	fflush(stdout);
	return reboot(RB_POWER_OFF);
}
