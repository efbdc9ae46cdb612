// The link between two sites: makes a network namespace for each, with a TUN device in it, and carries packets from one to the other as a long line would.
//
//   emulator DEVICE
//
// Packets go as the kernel forms them, segments of up to 64 KiB whole, unless the line loses or reorders some: then each is one of MTU bytes. It says where
// the namespaces are (`ready PATH PATH`), and then takes lines from its standard input, each answered by one:
//
//   set delay_us=N rate=N queue=N loss=N jitter_us=N reorder=N outage=N    one way; rate in bit/s (0: none), queue in bytes (0: none), loss and reorder per million
//   stats                                                                  per direction: when, in ns; packets of MTU size taken in, bytes that are through, lost by the queue, by the line
//
// Its end is that of its input, so the kernel removes all of it when whoever started it is gone.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { MOST_PACKET = 65536 + 4096, BATCH = 256, HELD = 64 };
static const size_t RING_BYTES = 256UL << 20;
// Wake-ups are put together to this grain: small packets would cost one each.
static const uint64_t GRAIN_NS = 50000;

static _Atomic uint64_t delay_ns, rate, queue, loss, jitter_ns, reorder, outage;

struct packet { uint64_t due; uint32_t bytes, used; };  // its bytes follow; none: the ring goes on at its begin

struct direction {
  int from, to;
  uint8_t *ring;
  size_t head, tail, used;
  _Atomic uint64_t link_free;
  uint64_t last_due, random;
  struct { uint64_t due; uint32_t bytes; uint8_t *data; } held[HELD];  // overtaken by what came later
  int holds;
  _Atomic uint64_t segments, wire_bytes, lost_queue, lost_line;
};
static struct direction directions[2];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static int open_tun(const char *device) {
  int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) die("/dev/net/tun");
  struct ifreq ask = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(ask.ifr_name, device, IFNAMSIZ - 1);
  if (ioctl(tun, TUNSETIFF, &ask)) die("TUNSETIFF");
  return tun;
}

static void set_offload(int tun, int on) {
  unsigned flags = on ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
  // Kernels before 6.2 have none for UDP.
  if (on && ioctl(tun, TUNSETOFFLOAD, flags | TUN_F_USO4 | TUN_F_USO6) == 0) return;
  if (ioctl(tun, TUNSETOFFLOAD, flags)) die("TUNSETOFFLOAD");
}

// What a packet takes on the line, where each of its segments has headers of its own.
static uint64_t wire_bytes(const uint8_t *data, uint32_t bytes, uint64_t *segments) {
  const struct virtio_net_hdr *header = (const void *)data;
  uint32_t ip = bytes - (uint32_t)sizeof *header;
  *segments = 1;
  if (header->gso_type == VIRTIO_NET_HDR_GSO_NONE || !header->gso_size || header->hdr_len >= ip) return ip;
  uint32_t payload = ip - header->hdr_len;
  *segments = (payload + header->gso_size - 1) / header->gso_size;
  return payload + *segments * header->hdr_len;
}

static uint64_t draw(struct direction *way, uint64_t below) {
  way->random = way->random * 6364136223846793005ULL + 1442695040888963407ULL;
  return (way->random >> 33) % below;
}

// When a packet that came at `at` reaches the other end; 0 when it is lost on the way.
static uint64_t due_at(struct direction *way, uint64_t at, const uint8_t *data, uint32_t bytes) {
  uint64_t segments, wire = wire_bytes(data, bytes, &segments);
  way->segments += segments;
  if (outage || (loss && draw(way, 1000000) < loss)) {
    way->lost_line += segments;
    return 0;
  }
  uint64_t departs = at;
  if (rate) {
    uint64_t start = way->link_free > at ? way->link_free : at;
    uint64_t waiting = (uint64_t)((double)(start - at) * (double)rate / 8e9);
    if (queue && waiting && waiting + wire > queue) {
      way->lost_queue += segments;
      return 0;
    }
    departs = way->link_free = start + (uint64_t)((double)wire * 8e9 / (double)rate);
  }
  way->wire_bytes += wire;
  uint64_t due = departs + delay_ns + (jitter_ns ? draw(way, jitter_ns) : 0);
  // Jitter alone lets nothing overtake.
  if (due > way->last_due) way->last_due = due;
  return way->last_due;
}

static void deliver(struct direction *way, const void *data, uint32_t bytes) {
  // A device whose queue is full, or that is down, loses it as a router does.
  if (write(way->to, data, bytes) < 0) return;
}

static void deliver_held(struct direction *way, uint64_t at) {
  for (int i = 0; i < way->holds;) {
    if (way->held[i].due > at) {
      i++;
      continue;
    }
    deliver(way, way->held[i].data, way->held[i].bytes);
    free(way->held[i].data);
    way->held[i] = way->held[--way->holds];
  }
}

static int hold(struct direction *way, uint64_t due, const uint8_t *data, uint32_t bytes) {
  if (!reorder || way->holds == HELD || draw(way, 1000000) >= reorder) return 0;
  uint8_t *copy = malloc(bytes);
  if (copy == NULL) return 0;
  memcpy(copy, data, bytes);
  way->held[way->holds].due = due + 1000000 + jitter_ns;
  way->held[way->holds].bytes = bytes;
  way->held[way->holds++].data = copy;
  return 1;
}

static int deliver_due(struct direction *way) {
  uint64_t at = now();
  int count = 0;
  deliver_held(way, at);
  while (way->used && count < BATCH) {
    struct packet *packet = (struct packet *)(way->ring + way->head);
    if (packet->bytes == 0) {
      way->used -= RING_BYTES - way->head;
      way->head = 0;
      continue;
    }
    if (packet->due > at && packet->due > (at = now())) break;
    deliver(way, packet + 1, packet->bytes);
    way->head += packet->used;
    way->used -= packet->used;
    if (way->head == RING_BYTES) way->head = 0;
    count++;
  }
  return count;
}

// Room for a packet at the tail of the ring; null when it is full.
static struct packet *room(struct direction *way) {
  size_t needed = sizeof(struct packet) + MOST_PACKET, end = RING_BYTES - way->tail;
  if (way->used == 0) {
    way->head = way->tail = 0;
    end = RING_BYTES;
  }
  if (end < needed) {
    if (RING_BYTES - way->used < end + needed) return NULL;
    if (end) ((struct packet *)(way->ring + way->tail))->bytes = 0;
    way->used += end;
    way->tail = 0;
  } else if (RING_BYTES - way->used < needed) {
    return NULL;
  }
  return (struct packet *)(way->ring + way->tail);
}

static int take_in(struct direction *way) {
  uint8_t spare[MOST_PACKET];
  int count = 0;
  while (count < BATCH) {
    struct packet *packet = room(way);
    uint8_t *data = packet == NULL ? spare : (uint8_t *)(packet + 1);
    ssize_t got = read(way->from, data, MOST_PACKET);
    if (got <= 0) return count;
    count++;
    uint64_t at = now(), due = due_at(way, at, data, (uint32_t)got);
    if (due == 0 || packet == NULL || hold(way, due, data, (uint32_t)got)) continue;
    if (due <= at && way->used == 0) {
      deliver(way, data, (uint32_t)got);
      continue;
    }
    packet->due = due;
    packet->bytes = (uint32_t)got;
    packet->used = (uint32_t)((sizeof *packet + (size_t)got + 15) & ~(size_t)15);
    way->used += packet->used;
    way->tail += packet->used;
    if (way->tail == RING_BYTES) way->tail = 0;
  }
  return count;
}

static uint64_t next_due(struct direction *way) {
  uint64_t next = UINT64_MAX;
  for (int i = 0; i < way->holds; i++)
    if (way->held[i].due < next) next = way->held[i].due;
  if (!way->used) return next;
  struct packet *packet = (struct packet *)(way->ring + way->head);
  uint64_t due = packet->bytes == 0 ? 0 : packet->due;
  return due < next ? due : next;
}

static void *carry(void *argument) {
  struct direction *way = argument;
  struct pollfd readable = {.fd = way->from, .events = POLLIN};
  prctl(PR_SET_TIMERSLACK, 1000UL);
  // The line is there whatever the hosts do that share its processors; where that is not allowed, checks of the line tell.
  struct sched_param first = {.sched_priority = 10};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
  for (;;) {
    int worked = deliver_due(way) + take_in(way);
    uint64_t at = now(), next = next_due(way);
    if (next <= at || worked >= BATCH) continue;
    if (worked) {
      struct timespec grain = {.tv_nsec = (long)GRAIN_NS};
      clock_nanosleep(CLOCK_MONOTONIC, 0, &grain, NULL);
      continue;
    }
    uint64_t wait = next - at;
    struct timespec limit = {.tv_sec = (time_t)(wait / 1000000000ULL), .tv_nsec = (long)(wait % 1000000000ULL)};
    ppoll(&readable, 1, next == UINT64_MAX ? NULL : &limit, NULL);
  }
  return NULL;
}

static const char *set(char *words) {
  struct { const char *name; _Atomic uint64_t *value; uint64_t unit; } known[] = {
    {"delay_us", &delay_ns, 1000}, {"jitter_us", &jitter_ns, 1000}, {"rate", &rate, 1}, {"queue", &queue, 1},
    {"loss", &loss, 1}, {"reorder", &reorder, 1}, {"outage", &outage, 1},
  };
  for (char *word = strtok(words, " \n"); word != NULL; word = strtok(NULL, " \n")) {
    char *value = strchr(word, '='), *end;
    if (value == NULL) return "not a setting";
    *value++ = 0;
    size_t i = 0, count = sizeof known / sizeof *known;
    while (i < count && strcmp(known[i].name, word)) i++;
    uint64_t number = strtoull(value, &end, 10);
    if (i == count || *value == 0 || *end != 0) return "not a setting";
    *known[i].value = number * known[i].unit;
  }
  int whole = loss == 0 && reorder == 0;
  for (int i = 0; i < 2; i++) set_offload(directions[i].from, whole);
  return "ok";
}

int main(int count, char **words) {
  if (count != 2) {
    fprintf(stderr, "usage: emulator DEVICE\n");
    return 2;
  }
  int tuns[2], spaces[2];
  for (int i = 0; i < 2; i++) {
    if (unshare(CLONE_NEWNET)) die("a network namespace");
    spaces[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    tuns[i] = open_tun(words[1]);
    set_offload(tuns[i], 1);
  }
  for (int i = 0; i < 2; i++) {
    directions[i] = (struct direction){.from = tuns[i], .to = tuns[1 - i], .random = (uint64_t)i + 1};
    directions[i].ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (directions[i].ring == MAP_FAILED) die("mmap");
    pthread_t thread;
    if (pthread_create(&thread, NULL, carry, &directions[i])) die("pthread_create");
  }
  printf("ready /proc/%d/fd/%d /proc/%d/fd/%d\n", getpid(), spaces[0], getpid(), spaces[1]);
  fflush(stdout);
  char line[512];
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (!strncmp(line, "set ", 4)) {
      puts(set(line + 4));
    } else if (!strcmp(line, "stats\n")) {
      for (int i = 0; i < 2; i++) {
        struct direction *way = &directions[i];
        uint64_t at = now(), bits = way->link_free > at ? (uint64_t)((double)(way->link_free - at) * (double)rate / 1e9) : 0;
        printf("%s%lu %lu %lu %lu %lu", i ? " " : "", at, way->segments, way->wire_bytes - bits / 8, way->lost_queue, way->lost_line);
      }
      puts("");
    } else {
      puts("not a command");
    }
    fflush(stdout);
  }
  return 0;
}
