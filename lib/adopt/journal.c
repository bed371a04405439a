/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The record of an adoption. After an accident, root acts on it, so it must not hold what could not
 * have been written here: ids are ids, paths are absolute, and what thaws a container is one of the
 * kernel's two control files in a group that carries its id.
 */

#include <errno.h>
#include <jansson.h>

#include "lib/adopt/rules.h"

#define JOURNAL_VERSION 1

static const char *const phase_names[_PL_ADOPT_PHASE_N] = {
        [PL_ADOPT_PLANNED] = "planned", [PL_ADOPT_CONFIGURED] = "configured",
        [PL_ADOPT_FROZEN] = "frozen",   [PL_ADOPT_STOPPING] = "stopping",
        [PL_ADOPT_STOPPED] = "stopped", [PL_ADOPT_REWRITTEN] = "rewritten",
        [PL_ADOPT_STARTED] = "started", [PL_ADOPT_THAWED] = "thawed",
        [PL_ADOPT_UNDOING] = "undoing",
};

/* The strings of a record, and which of them must be absolute paths. */
static const struct {
        const char *key;
        size_t offset;
        bool path, may_be_empty;
} strings[] = {
        { "boot_id", offsetof(PlAdoptJournal, boot_id), false, false },
        { "socket", offsetof(PlAdoptJournal, socket), true, false },
        { "data_root", offsetof(PlAdoptJournal, data_root), true, false },
        { "config", offsetof(PlAdoptJournal, config), true, false },
        { "config_backup", offsetof(PlAdoptJournal, config_backup), true, true },
        { "unit", offsetof(PlAdoptJournal, unit), false, true },
        { "triggers", offsetof(PlAdoptJournal, triggers), false, true },
        { "cwd", offsetof(PlAdoptJournal, cwd), true, true },
        { "netns", offsetof(PlAdoptJournal, netns), true, true },
};

static char **string_at(PlAdoptJournal *j, size_t i) {
        return (char **)((char *)j + strings[i].offset);
}

const char *pl_adopt_phase_to_string(PlAdoptPhase p) {
        return phase_names[p];
}

void pl_adopt_journal_deinit(PlAdoptJournal *j) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++)
                free(*string_at(j, i));
        for (size_t i = 0; i < j->n_items; i++) {
                free(j->items[i].name);
                free(j->items[i].freezer);
        }
        free(j->items);
        *j = (PlAdoptJournal){};
}

PlAdoptItem *pl_adopt_journal_add(PlAdoptJournal *j) {
        PlAdoptItem *grown = reallocarray(j->items, j->n_items + 1, sizeof(*grown));

        if (!grown)
                return NULL;
        j->items = grown;
        grown[j->n_items] = (PlAdoptItem){};
        return &grown[j->n_items++];
}

static json_t *encode_item(const PlAdoptItem *i) {
        return json_pack("{s:s, s:s, s:b, s:I, s:I, s:s, s:I, s:I}", "id", i->id, "name",
                         i->name ?: "", "adopt", i->adopt, "pid", (json_int_t)i->pid,
                         "started_usec", (json_int_t)i->started_usec, "freezer", i->freezer ?: "",
                         "max_size_bytes", (json_int_t)i->sizes.max_size_bytes, "max_files",
                         (json_int_t)i->sizes.max_files);
}

int pl_adopt_journal_encode(const PlAdoptJournal *j, char **ret) {
        json_t *items = json_array();
        json_t *root = json_pack("{s:i, s:s, s:b, s:O?}", "version", JOURNAL_VERSION, "phase",
                                 phase_names[j->phase], "config_existed", j->config_existed,
                                 "containers", items);
        int r = root && items ? 0 : -ENOMEM;

        for (size_t i = 0; r == 0 && i < PL_ARRAY_SIZE(strings); i++) {
                const char *s = *(char *const *)((const char *)j + strings[i].offset);

                if (json_object_set_new(root, strings[i].key, json_string(s ?: "")) < 0)
                        r = -ENOMEM;
        }
        for (size_t i = 0; r == 0 && i < j->n_items; i++)
                if (json_array_append_new(items, encode_item(&j->items[i])) < 0)
                        r = -ENOMEM;
        char *text = r == 0 ? json_dumps(root, JSON_INDENT(1)) : NULL;
        json_decref(items);
        json_decref(root);
        if (!text)
                return -ENOMEM;
        *ret = text;
        return 0;
}

static bool ends_with(const char *s, const char *end) {
        size_t n = strlen(s), m = strlen(end);

        return n >= m && pl_streq(s + n - m, end);
}

static bool is_freezer(const char *path, const char *id) {
        if (!*path)
                return true;
        return *path == '/' && strstr(path, id) && !strstr(path, "/../") &&
               (ends_with(path, "/freezer.state") || ends_with(path, "/cgroup.freeze"));
}

static int decode_item(json_t *j, PlAdoptItem *i) {
        const char *id, *name, *freezer;
        json_int_t pid, started, size, files;
        int adopt;

        if (json_unpack(j, "{s:s, s:s, s:b, s:I, s:I, s:s, s:I, s:I}", "id", &id, "name", &name,
                        "adopt", &adopt, "pid", &pid, "started_usec", &started, "freezer", &freezer,
                        "max_size_bytes", &size, "max_files", &files) < 0)
                return -EBADMSG;
        if (!pl_is_id(id) || pid < 0 || pid > INT32_MAX || !is_freezer(freezer, id) || files < 0 ||
            files > UINT32_MAX)
                return -EBADMSG;
        memcpy(i->id, id, PL_ID_MAX);
        i->adopt = adopt;
        i->pid = (pid_t)pid;
        i->started_usec = (uint64_t)started;
        i->sizes = (PlAdoptSizes){ (uint64_t)size, (unsigned)files };
        i->name = strdup(name);
        i->freezer = strdup(freezer);
        return i->name && i->freezer ? 0 : -ENOMEM;
}

static int decode_strings(const json_t *root, PlAdoptJournal *j) {
        for (size_t i = 0; i < PL_ARRAY_SIZE(strings); i++) {
                const char *s = json_string_value(json_object_get(root, strings[i].key));

                if (!s || (!*s && !strings[i].may_be_empty) ||
                    (*s && strings[i].path && *s != '/') ||
                    (*s == '-' && !strings[i].path)) /* never an option of a command */
                        return -EBADMSG;
                *string_at(j, i) = strdup(s);
                if (!*string_at(j, i))
                        return -ENOMEM;
        }
        return 0;
}

static int decode_root(json_t *root, PlAdoptJournal *j) {
        const char *phase;
        json_t *items, *item;
        int version, existed, r;
        size_t i;

        if (json_unpack(root, "{s:i, s:s, s:b, s:o}", "version", &version, "phase", &phase,
                        "config_existed", &existed, "containers", &items) < 0 ||
            version != JOURNAL_VERSION || !json_is_array(items))
                return -EBADMSG;
        j->phase = _PL_ADOPT_PHASE_N;
        for (size_t p = 0; p < _PL_ADOPT_PHASE_N; p++)
                if (pl_streq(phase_names[p], phase))
                        j->phase = (PlAdoptPhase)p;
        if (j->phase == _PL_ADOPT_PHASE_N)
                return -EBADMSG;
        j->config_existed = existed;
        r = decode_strings(root, j);
        json_array_foreach(items, i, item) {
                PlAdoptItem *new = r == 0 ? pl_adopt_journal_add(j) : NULL;

                if (r == 0)
                        r = new ? decode_item(item, new) : -ENOMEM;
        }
        return r;
}

int pl_adopt_journal_decode(const char *text, size_t size, PlAdoptJournal *ret) {
        json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
        PlAdoptJournal j = {};
        int r = root ? decode_root(root, &j) : -EBADMSG;

        json_decref(root);
        if (r < 0) {
                pl_adopt_journal_deinit(&j);
                return r;
        }
        *ret = j;
        return 0;
}
