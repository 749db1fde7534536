/* SPDX-License-Identifier: MIT */
/*
 * The macros of queue(7bsd) that the libraries without a broker use, for C libraries that have no such
 * header, such as musl. Only configure --disable-broker adds this folder to the include path: all other
 * parts need libbsd, which has the header.
 */

/*
 * Each element has the pointer to the next one, and LIST and TAILQ also the address of the pointer that
 * leads to it. The tail of STAILQ and TAILQ is the address of the last pointer, which is NULL.
 */
#ifndef MEMTUN_COMPAT_SYS_QUEUE_H
#define MEMTUN_COMPAT_SYS_QUEUE_H

/* --- LIST: an element can be removed without its list --- */

#define LIST_HEAD(name, type)       \
	struct name {               \
		struct type *first; \
	}

#define LIST_ENTRY(type)               \
	struct {                       \
		struct type *next;     \
		struct type **to_this; \
	}

#define LIST_INIT(list) ((void)((list)->first = NULL))
#define LIST_FIRST(list) ((list)->first)
#define LIST_NEXT(element, entry) ((element)->entry.next)

#define LIST_FOREACH(element, list, entry) \
	for ((element) = (list)->first; (element); (element) = (element)->entry.next)

#define LIST_INSERT_HEAD(list, element, entry)                                         \
	do {                                                                           \
		(element)->entry.next = (list)->first;                                 \
		(element)->entry.to_this = &(list)->first;                             \
		if ((element)->entry.next)                                             \
			(element)->entry.next->entry.to_this = &(element)->entry.next; \
		(list)->first = (element);                                             \
	} while (0)

#define LIST_REMOVE(element, entry)                                                      \
	do {                                                                             \
		if ((element)->entry.next)                                               \
			(element)->entry.next->entry.to_this = (element)->entry.to_this; \
		*(element)->entry.to_this = (element)->entry.next;                       \
	} while (0)

/* --- STAILQ: a queue that is linked in one direction --- */

#define STAILQ_HEAD(name, type)     \
	struct name {               \
		struct type *first; \
		struct type **tail; \
	}

#define STAILQ_HEAD_INITIALIZER(queue) \
	{                              \
		NULL, &(queue).first   \
	}

#define STAILQ_ENTRY(type)         \
	struct {                   \
		struct type *next; \
	}

#define STAILQ_INIT(queue) ((void)((queue)->first = NULL, (queue)->tail = &(queue)->first))
#define STAILQ_FIRST(queue) ((queue)->first)
#define STAILQ_EMPTY(queue) (!(queue)->first)

#define STAILQ_FOREACH(element, queue, entry) \
	for ((element) = (queue)->first; (element); (element) = (element)->entry.next)

#define STAILQ_INSERT_TAIL(queue, element, entry)       \
	do {                                            \
		(element)->entry.next = NULL;           \
		*(queue)->tail = (element);             \
		(queue)->tail = &(element)->entry.next; \
	} while (0)

#define STAILQ_REMOVE_HEAD(queue, entry)                     \
	do {                                                 \
		(queue)->first = (queue)->first->entry.next; \
		if (!(queue)->first)                         \
			(queue)->tail = &(queue)->first;     \
	} while (0)

#define STAILQ_REMOVE(queue, element, type, entry)   \
	do {                                         \
		struct type **at_ = &(queue)->first; \
                                                     \
		while (*at_ != (element))            \
			at_ = &(*at_)->entry.next;   \
		*at_ = (element)->entry.next;        \
		if (!*at_)                           \
			(queue)->tail = at_;         \
	} while (0)

/* Append the elements of `other`, which is empty then. */
#define STAILQ_CONCAT(queue, other)              \
	do {                                     \
		if (STAILQ_EMPTY(other))         \
			break;                   \
		*(queue)->tail = (other)->first; \
		(queue)->tail = (other)->tail;   \
		STAILQ_INIT(other);              \
	} while (0)

/* --- TAILQ: a queue from which any element can be removed --- */

#define TAILQ_HEAD(name, type)      \
	struct name {               \
		struct type *first; \
		struct type **tail; \
	}

#define TAILQ_HEAD_INITIALIZER(queue) \
	{                             \
		NULL, &(queue).first  \
	}

#define TAILQ_ENTRY(type)              \
	struct {                       \
		struct type *next;     \
		struct type **to_this; \
	}

#define TAILQ_INIT(queue) ((void)((queue)->first = NULL, (queue)->tail = &(queue)->first))
#define TAILQ_FIRST(queue) ((queue)->first)
#define TAILQ_NEXT(element, entry) ((element)->entry.next)
#define TAILQ_EMPTY(queue) (!(queue)->first)

#define TAILQ_FOREACH(element, queue, entry) \
	for ((element) = (queue)->first; (element); (element) = (element)->entry.next)

#define TAILQ_INSERT_TAIL(queue, element, entry)          \
	do {                                              \
		(element)->entry.next = NULL;             \
		(element)->entry.to_this = (queue)->tail; \
		*(queue)->tail = (element);               \
		(queue)->tail = &(element)->entry.next;   \
	} while (0)

#define TAILQ_REMOVE(queue, element, entry)                                              \
	do {                                                                             \
		if ((element)->entry.next)                                               \
			(element)->entry.next->entry.to_this = (element)->entry.to_this; \
		else                                                                     \
			(queue)->tail = (element)->entry.to_this;                        \
		*(element)->entry.to_this = (element)->entry.next;                       \
	} while (0)

/* Append the elements of `other`, which is empty then. */
#define TAILQ_CONCAT(queue, other, entry)                      \
	do {                                                   \
		if (TAILQ_EMPTY(other))                        \
			break;                                 \
		(other)->first->entry.to_this = (queue)->tail; \
		*(queue)->tail = (other)->first;               \
		(queue)->tail = (other)->tail;                 \
		TAILQ_INIT(other);                             \
	} while (0)

#endif
