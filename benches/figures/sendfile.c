/* The raw limit of reading files to a client: accepts one connection at a time on a free port, and sends it all files with sendfile(2). */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void send_file(int client, const char *path) {
    int file = open(path, O_RDONLY);
    struct stat about;
    if (file < 0 || fstat(file, &about) < 0) fail(path);
    for (off_t sent = 0; sent < about.st_size;) {
        ssize_t count = sendfile(client, file, &sent, (size_t)(about.st_size - sent));
        if (count < 0 && errno != EINTR) fail("sendfile");
        if (count == 0) break;
    }
    close(file);
}

int main(int count, char **files) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 16) < 0) fail("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0) fail("getsockname");
    fprintf(stderr, "listening on http://127.0.0.1:%d/\n", ntohs(address.sin_port));
    for (;;) {
        int client = accept(listener, NULL, NULL), on = 1;
        if (client < 0) fail("accept");
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        char request[4096];
        if (read(client, request, sizeof request) <= 0) fail("read");
        for (int at = 1; at < count; at++) send_file(client, files[at]);
        close(client);
    }
}
