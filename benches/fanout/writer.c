/* The raw writer: the least that can stand between a pipe and many clients, and so the physical limit beside which the others
 * are measured. One thread; each read of standard input is encoded once, as one chunk of the very events that sse-bridge writes,
 * and goes to each client in one send. It is no product: a client that does not read holds up everybody, and nobody can leave.
 *
 *   writer serve     lines of standard input to all clients, as they come
 *   writer replay    reads standard input to its end, then sends all of it to each client that comes
 *   writer ingest    reads lines, finds their ends and copies them: the loop beside which taking lines in is measured
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { READ = 64 * 1024, LARGEST = 64 * READ, MOST_CLIENTS = 1 << 17, REPLAY_WRITE = 128 * 1024, KEPT = 64 << 20 };

static const char head[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n"
                           "transfer-encoding: chunked\r\n\r\n";
static const char greeting[] = "1c\r\n: writer\nretry: 2000\ndata:\n\n\r\n";

static char input[READ * 2];
static size_t begun; /* bytes in it of a line that has not ended */
static unsigned long long number;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static char *put_number(char *to, unsigned long long value) {
    char digits[20];
    int count = 0;
    do digits[count++] = '0' + value % 10;
    while (value /= 10);
    while (count) *to++ = digits[--count];
    return to;
}

static char *put(char *to, const char *from, size_t size) { return (char *)memcpy(to, from, size) + size; }

/* Encodes all lines that have ended, and keeps the rest for the next read. */
static char *encode(char *to, size_t count) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    char id[40], *id_end = put_number(put(id, "id: ", 4), now.tv_sec * 1000ULL + now.tv_nsec / 1000000);
    *id_end++ = '-';
    char *line = input, *end = input + begun + count, *newline;
    while ((newline = memchr(line, '\n', end - line))) {
        to = put_number(put(to, id, id_end - id), ++number);
        to = put(to, "/stdin\ndata: ", 13);
        to = put(to, line, newline - line);
        to = put(to, "\n\n", 2);
        line = newline + 1;
    }
    begun = end - line;
    if (begun >= READ) die("a line is too long");
    memmove(input, line, begun);
    return to;
}

/* A chunk's size has a fixed width, so that it can be written behind the chunk. */
static void put_size(char *chunk, size_t size) {
    for (int at = 7; at >= 0; at--, size >>= 4) chunk[at] = "0123456789abcdef"[size & 15];
    put(chunk + 8, "\r\n", 2);
}

/* Reads once and encodes it as a chunk; none if no line has ended. Returns its size, or -1 at the end. */
static ssize_t next_chunk(char *chunk) {
    ssize_t count = read(0, input + begun, READ);
    if (count <= 0) return -1;
    char *end = encode(chunk + 10, count);
    size_t size = end - chunk - 10;
    if (!size) return 0;
    put_size(chunk, size);
    return put(end, "\r\n", 2) - chunk;
}

static int send_all(int client, const char *bytes, size_t size) {
    while (size) {
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return -1;
        if (sent < 0) {
            struct pollfd full = {client, POLLOUT, 0};
            poll(&full, 1, -1);
        } else {
            bytes += sent, size -= sent;
        }
    }
    return 0;
}

static int open_door(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), seconds = 10;
    /* A client is accepted when its request is there, so that nobody has to be waited for. */
    setsockopt(door, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds);
    if (bind(door, (struct sockaddr *)&address, size) || listen(door, 4096)) die("listen");
    getsockname(door, (struct sockaddr *)&address, &size);
    fprintf(stderr, "listening on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    return door;
}

/* Accepts one client, if there is one, and reads its request. */
static int let_in(int door) {
    char request[4096];
    int client = accept4(door, NULL, NULL, SOCK_NONBLOCK), on = 1;
    if (client < 0) return -1;
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (recv(client, request, sizeof request, 0) < 0 && errno != EAGAIN) return close(client), -1;
    return client;
}

static void serve(void) {
    static int clients[MOST_CLIENTS];
    static char chunk[LARGEST], hello[sizeof head + sizeof greeting];
    size_t hello_size = put(put(hello, head, sizeof head - 1), greeting, sizeof greeting - 1) - hello;
    int count = 0, client;
    struct pollfd fds[2] = {{0, POLLIN, 0}, {open_door(), POLLIN, 0}};
    for (;;) {
        poll(fds, 2, -1);
        if (fds[1].revents)
            while (count < MOST_CLIENTS && (client = let_in(fds[1].fd)) >= 0)
                if (!send_all(client, hello, hello_size)) clients[count++] = client;
        if (!fds[0].revents) continue;
        ssize_t size = next_chunk(chunk);
        if (size < 0) return;
        for (int at = 0; size && at < count; at++)
            if (send_all(clients[at], chunk, size)) close(clients[at]), clients[at--] = clients[--count];
    }
}

static void replay(void) {
    size_t size = 0, room = 0;
    char *all = NULL;
    ssize_t more;
    do {
        if (room - size < LARGEST && !(all = realloc(all, room += 128 << 20))) die("memory");
        more = next_chunk(all + size);
        size += more > 0 ? more : 0;
    } while (more >= 0);
    struct pollfd door = {open_door(), POLLIN, 0};
    alarm(300); /* its input has ended, so that nothing else ends it if nobody is there to do so */
    for (;;) {
        poll(&door, 1, -1);
        int client = let_in(door.fd);
        if (client < 0) continue;
        int is_good = !send_all(client, head, sizeof head - 1);
        for (size_t at = 0; is_good && at < size; at += REPLAY_WRITE)
            is_good = !send_all(client, all + at, size - at < REPLAY_WRITE ? size - at : REPLAY_WRITE);
        if (is_good) send_all(client, "0\r\n\r\n", 5);
        close(client);
    }
}

static void ingest(void) {
    char *kept = malloc(KEPT);
    size_t at = 0;
    ssize_t count;
    fprintf(stderr, "listening on standard input alone\n");
    while ((count = read(0, input + begun, READ)) > 0) {
        char *line = input, *end = input + begun + count, *newline;
        while ((newline = memchr(line, '\n', end - line))) {
            size_t size = newline + 1 - line;
            if (KEPT - at < size) at = 0;
            at = put(kept + at, line, size) - kept;
            line = newline + 1;
            number++;
        }
        begun = end - line;
        memmove(input, line, begun);
    }
    fprintf(stderr, "standard input ended after %llu lines\n", number);
}

int main(int count, char **words) {
    const char *mode = count == 2 ? words[1] : "";
    if (!strcmp(mode, "serve")) return serve(), 0;
    if (!strcmp(mode, "replay")) return replay(), 0;
    if (!strcmp(mode, "ingest")) return ingest(), 0;
    fprintf(stderr, "usage: writer serve|replay|ingest\n");
    return 2;
}
