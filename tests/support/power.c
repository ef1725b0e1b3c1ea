/* What is on the disk when the power goes: only what was synced.
 *
 * Preloaded into a server. Whenever a file below POWER_REAL is synced, its content goes into POWER_KEPT under the
 * file's inode; whenever the folder is synced, the names that it has then go there too. Nothing else gets there, so
 * after SIGKILL that folder is what a power cut at this moment may leave at worst. Files that were synced are held
 * open, so that no inode number is given to another file.
 *
 * The file POWER_CUT counts down: the power goes inside the sync that makes it 0, before anything of it is written.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static struct {
    ino_t inode;
    int fd;
} held[4096];
static int held_count;

static void broken(const char *what) {
    perror(what);
    abort(); /* a shim that forgets too much or too little proves nothing */
}

static void power_cut(void) {
    int left = 0;
    FILE *file = fopen(getenv("POWER_CUT"), "r+");
    if (!file)
        return;
    if (fscanf(file, "%d", &left) != 1)
        left = 0;
    rewind(file);
    if (left > 0)
        fprintf(file, "%-10d", left - 1);
    fclose(file);
    if (left == 1) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

/* A descriptor for reading that stays open. To close one would drop the locks that SQLite has on the file. */
static int reading(int fd, ino_t inode) {
    char path[64];
    for (int at = 0; at < held_count; at++)
        if (held[at].inode == inode)
            return held[at].fd;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int opened = open(path, O_RDONLY | O_CLOEXEC);
    if (held_count == 4096 || opened < 0)
        broken("hold open");
    held[held_count].inode = inode;
    held[held_count].fd = opened;
    held_count++;
    return opened;
}

/* Copy in place: what was synced before and is the same now stays on the disk all the while. */
static void copy(int from, int into, off_t size) {
    char block[65536];
    for (off_t at = 0; at < size;) {
        ssize_t got = pread(from, block, sizeof block, at);
        if (got < 0 || pwrite(into, block, got, at) != got)
            broken("copy");
        if (!got)
            break; /* cut short meanwhile */
        at += got;
    }
}

static void keep_file(int fd, const struct stat *about) {
    char path[PATH_MAX];
    int from = reading(fd, about->st_ino);
    snprintf(path, sizeof path, "%s/%llu", getenv("POWER_KEPT"), (unsigned long long)about->st_ino);
    int into = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (into < 0)
        broken("keep file");
    copy(from, into, about->st_size);
    if (ftruncate(into, about->st_size))
        broken("truncate");
    close(into);
}

static void keep_names(const char *folder) {
    char made[PATH_MAX], path[PATH_MAX];
    snprintf(made, sizeof made, "%s/names.new", getenv("POWER_KEPT"));
    snprintf(path, sizeof path, "%s/names", getenv("POWER_KEPT"));
    FILE *names = fopen(made, "w");
    DIR *listing = opendir(folder);
    if (!names || !listing)
        broken("keep names");
    for (struct dirent *entry; (entry = readdir(listing));)
        if (entry->d_type == DT_REG)
            fprintf(names, "%llu %s\n", (unsigned long long)entry->d_ino, entry->d_name);
    closedir(listing);
    if (fclose(names) || rename(made, path))
        broken("rename names");
}

static int kept(int fd, const char *name) {
    int (*sync_it)(int) = dlsym(RTLD_NEXT, name);
    const char *real = getenv("POWER_REAL");
    char own[64], path[PATH_MAX];
    struct stat about;
    snprintf(own, sizeof own, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(own, path, sizeof path - 1);
    if (!real || length < 0 || fstat(fd, &about))
        return sync_it(fd);
    path[length] = 0;
    if (strncmp(path, real, strlen(real)))
        return sync_it(fd);
    pthread_mutex_lock(&one_at_a_time);
    power_cut();
    if (S_ISDIR(about.st_mode))
        keep_names(path);
    else
        keep_file(fd, &about);
    pthread_mutex_unlock(&one_at_a_time);
    return 0; /* the real disk need not be waited for */
}

int fsync(int fd) { return kept(fd, "fsync"); }

int fdatasync(int fd) { return kept(fd, "fdatasync"); }
