#include "runtime/symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/phrase.h"

enum {
  SYMBOLS_MAX = 1 << 20,         /* of all files together */
  NAME_MAX_BYTES = 255,          /* longer names are cut */
  SECTIONS_MAX = 1 << 16,        /* of one file */
  SECTION_BYTES_MAX = 256 << 20, /* of a symbol or string table */
  OVERLAP_MAX = 8,               /* symbols that may begin inside another one */
  UNSIZED_BYTES_MAX = 4096       /* how far a symbol without a size (assembly) may reach */
};

struct symbol {
  uintptr_t start;
  uint32_t bytes;
  uint32_t name; /* offset in names */
};

struct trp_symbol_table {
  struct symbol *symbols;
  size_t count, capacity;
  char *names;
  size_t names_bytes, names_capacity;
};

/* ---- reading an ELF file ----------------------------------------------------------------- */

struct elf {
  int fd;
  uint64_t bytes;
  uintptr_t bias;
  ElfW(Shdr) * sections;
  size_t section_count;
};

static bool inside(const struct elf *elf, uint64_t offset, uint64_t bytes) {
  return offset <= elf->bytes && bytes <= elf->bytes - offset;
}

/* The file may shrink under us, so it is read and not mapped: that gives an error, not SIGBUS. */
static enum trp_err read_at(const struct elf *elf, uint64_t offset, void *out, uint64_t bytes) {
  if (!inside(elf, offset, bytes)) return TRP_MALFORMED;
  char *at = out;
  while (bytes > 0) {
    ssize_t n = pread(elf->fd, at, bytes, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return TRP_SYSTEM;
    if (n == 0) return TRP_MALFORMED;
    at += n;
    offset += (uint64_t)n;
    bytes -= (uint64_t)n;
  }
  return TRP_OK;
}

/* Allocates and reads; the file's own size vouches for this one before memory is asked for. */
static enum trp_err read_new(const struct elf *elf, uint64_t offset, uint64_t bytes, void **out) {
  *out = NULL;
  if (bytes == 0 || !inside(elf, offset, bytes)) return TRP_MALFORMED;
  if (bytes > SECTION_BYTES_MAX) return TRP_LIMIT;
  void *memory = malloc(bytes);
  if (memory == NULL) return TRP_NO_MEMORY;
  enum trp_err err = read_at(elf, offset, memory, bytes);
  if (err != TRP_OK) {
    free(memory);
    return err;
  }
  *out = memory;
  return TRP_OK;
}

static enum trp_err read_sections(struct elf *elf) {
  struct stat status;
  if (fstat(elf->fd, &status) != 0) return TRP_SYSTEM;
  elf->bytes = (uint64_t)status.st_size;
  ElfW(Ehdr) header;
  enum trp_err err = read_at(elf, 0, &header, sizeof header);
  if (err != TRP_OK) return err;
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return TRP_MALFORMED;
  if (header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)) {
    return TRP_MALFORMED;
  }
  if (header.e_shentsize != sizeof(ElfW(Shdr))) return TRP_MALFORMED;
  elf->section_count = header.e_shnum; /* a 16-bit field: at most SECTIONS_MAX */
  _Static_assert(sizeof header.e_shnum == 2 && SECTIONS_MAX == 1 << 16, "bounded by its type");
  void *sections;
  err = read_new(elf, header.e_shoff, elf->section_count * sizeof(ElfW(Shdr)), &sections);
  elf->sections = sections;
  return err;
}

static const ElfW(Shdr) * find_section(const struct elf *elf, uint32_t type) {
  for (size_t i = 0; i < elf->section_count; i++) {
    if (elf->sections[i].sh_type == type) return &elf->sections[i];
  }
  return NULL;
}

/* Makes room for one more element by doubling. */
static bool grow(void **array, size_t *capacity, size_t needed, size_t element) {
  if (needed <= *capacity) return true;
  size_t wanted = *capacity == 0 ? 4096 : *capacity * 2;
  while (wanted < needed) wanted *= 2;
  void *bigger = realloc(*array, wanted * element);
  if (bigger == NULL) return false;
  *array = bigger;
  *capacity = wanted;
  return true;
}

static enum trp_err add_symbol(struct trp_symbol_table *table, uintptr_t start, uint64_t bytes,
                               const char *name, size_t name_bytes) {
  if (table->count == SYMBOLS_MAX) return TRP_LIMIT;
  void *symbols = table->symbols, *names = table->names;
  bool room = grow(&symbols, &table->capacity, table->count + 1, sizeof(struct symbol));
  table->symbols = symbols;
  if (!room) return TRP_NO_MEMORY;
  room = grow(&names, &table->names_capacity, table->names_bytes + name_bytes + 1, 1);
  table->names = names;
  if (!room) return TRP_NO_MEMORY;
  table->symbols[table->count++] =
      (struct symbol){.start = start,
                      .bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes,
                      .name = (uint32_t)table->names_bytes};
  memcpy(table->names + table->names_bytes, name, name_bytes);
  table->names[table->names_bytes + name_bytes] = '\0';
  table->names_bytes += name_bytes + 1;
  return TRP_OK;
}

static enum trp_err add_functions(struct trp_symbol_table *table, const struct elf *elf,
                                  const ElfW(Sym) * symbols, size_t count, const char *strings,
                                  size_t strings_bytes) {
  for (size_t i = 0; i < count; i++) {
    const ElfW(Sym) *symbol = &symbols[i];
    unsigned type = symbol->st_info & 0xf;
    if (type != STT_FUNC && type != STT_GNU_IFUNC) continue;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_value == 0) continue;
    if (symbol->st_name >= strings_bytes) continue;
    const char *name = strings + symbol->st_name;
    size_t room = strings_bytes - symbol->st_name;
    size_t bytes = strnlen(name, room < NAME_MAX_BYTES ? room : NAME_MAX_BYTES);
    if (bytes == 0) continue;
    enum trp_err err =
        add_symbol(table, elf->bias + symbol->st_value, symbol->st_size, name, bytes);
    if (err != TRP_OK) return err;
  }
  return TRP_OK;
}

static enum trp_err read_functions(struct trp_symbol_table *table, const struct elf *elf) {
  const ElfW(Shdr) *section = find_section(elf, SHT_SYMTAB);
  if (section == NULL) section = find_section(elf, SHT_DYNSYM);
  if (section == NULL) return TRP_OK; /* stripped of everything: no names, no error */
  if (section->sh_entsize != sizeof(ElfW(Sym)) || section->sh_link >= elf->section_count) {
    return TRP_MALFORMED;
  }
  const ElfW(Shdr) *link = &elf->sections[section->sh_link];
  if (link->sh_type != SHT_STRTAB) return TRP_MALFORMED;
  void *symbols, *strings;
  enum trp_err err = read_new(elf, section->sh_offset, section->sh_size, &symbols);
  if (err != TRP_OK) return err;
  err = read_new(elf, link->sh_offset, link->sh_size, &strings);
  if (err == TRP_OK) {
    err = add_functions(table, elf, symbols, section->sh_size / sizeof(ElfW(Sym)), strings,
                        link->sh_size);
  }
  free(strings);
  free(symbols);
  return err;
}

enum trp_err trp_symbol_table_read(struct trp_symbol_table *table, int fd, uintptr_t bias) {
  struct elf elf = {.fd = fd, .bias = bias};
  enum trp_err err = read_sections(&elf);
  if (err == TRP_OK) err = read_functions(table, &elf);
  free(elf.sections);
  return err;
}

/* ---- the table --------------------------------------------------------------------------- */

enum trp_err trp_symbol_table_new(struct trp_symbol_table **out) {
  *out = calloc(1, sizeof **out);
  return *out == NULL ? TRP_NO_MEMORY : TRP_OK;
}

/* By start; of several at one start the largest first, of equals the one read first. */
static int compare_symbols(const void *left, const void *right) {
  const struct symbol *a = left, *b = right;
  if (a->start != b->start) return a->start < b->start ? -1 : 1;
  if (a->bytes != b->bytes) return a->bytes > b->bytes ? -1 : 1;
  return a->name < b->name ? -1 : a->name > b->name;
}

/* After sorting, a symbol without a size reaches to the next one, but not far. */
void trp_symbol_table_sort(struct trp_symbol_table *table) {
  if (table->count == 0) return;
  qsort(table->symbols, table->count, sizeof(struct symbol), compare_symbols);
  for (size_t i = 0; i < table->count; i++) {
    struct symbol *symbol = &table->symbols[i];
    if (symbol->bytes != 0) continue;
    uintptr_t reach = UNSIZED_BYTES_MAX;
    if (i + 1 < table->count && symbol[1].start - symbol->start < reach) {
      reach = symbol[1].start - symbol->start;
    }
    symbol->bytes = (uint32_t)reach;
  }
}

const char *trp_symbol_table_find(const struct trp_symbol_table *table, uintptr_t pc,
                                  uintptr_t *start) {
  size_t low = 0, high = table->count; /* the first symbol that starts above pc */
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (table->symbols[middle].start <= pc) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const struct symbol *found = NULL;
  for (size_t i = low, seen = 0; i > 0 && seen < OVERLAP_MAX; i--, seen++) {
    const struct symbol *symbol = &table->symbols[i - 1];
    if (found != NULL && symbol->start != found->start) break;
    if (pc - symbol->start < symbol->bytes) found = symbol;
  }
  if (found == NULL) return NULL;
  *start = found->start;
  return table->names + found->name;
}

size_t trp_symbol_table_count(const struct trp_symbol_table *table) { return table->count; }

void trp_symbol_table_destroy(struct trp_symbol_table **table) {
  if (*table == NULL) return;
  free((*table)->symbols);
  free((*table)->names);
  free(*table);
  *table = NULL;
}

/* ---- the process's own ------------------------------------------------------------------- */

static _Atomic(struct trp_symbol_table *) process_table;

static int read_module(struct dl_phdr_info *info, size_t bytes, void *arg) {
  (void)bytes;
  bool program = info->dlpi_name == NULL || info->dlpi_name[0] == '\0';
  int fd = open(program ? "/proc/self/exe" : info->dlpi_name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0; /* the kernel's vdso has no file */
  enum trp_err err = trp_symbol_table_read(arg, fd, info->dlpi_addr);
  (void)err; /* costs this module's names and nothing else */
  close(fd);
  return 0;
}

static void load(void) {
  struct trp_symbol_table *table;
  if (trp_symbol_table_new(&table) != TRP_OK) return;
  dl_iterate_phdr(read_module, table);
  trp_symbol_table_sort(table);
  /* Release: pairs with the acquire in loaded_table; publishes the sorted table. */
  atomic_store_explicit(&process_table, table, memory_order_release);
}

void trp_symbols_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
}

static const struct trp_symbol_table *loaded_table(void) {
  /* Acquire: pairs with the release in load. */
  return atomic_load_explicit(&process_table, memory_order_acquire);
}

size_t trp_symbols_count(void) {
  const struct trp_symbol_table *table = loaded_table();
  return table == NULL ? 0 : table->count;
}

/* The last part of a module's path; the program itself has none there. */
static const char *module_name(const struct link_map *map) {
  if (map->l_name == NULL || map->l_name[0] == '\0') return program_invocation_short_name;
  const char *slash = strrchr(map->l_name, '/');
  return slash == NULL ? map->l_name : slash + 1;
}

size_t trp_symbols_name(uintptr_t pc, char *out, size_t bytes) {
  if (bytes == 0) return 0;
  struct trp_phrase phrase;
  trp_phrase_init(&phrase, out, bytes);
  uintptr_t start = 0;
  struct dl_find_object object;
  const struct trp_symbol_table *table = loaded_table();
  const char *name = table == NULL ? NULL : trp_symbol_table_find(table, pc, &start);
  /* _dl_find_object and not dladdr: that one takes the loader's lock. */
  if (name == NULL && _dl_find_object((void *)pc, &object) == 0) {
    name = module_name(object.dlfo_link_map);
    start = object.dlfo_link_map->l_addr;
  }
  if (name != NULL) {
    trp_phrase_text(&phrase, name);
    trp_phrase_char(&phrase, '+');
  }
  trp_phrase_hex(&phrase, pc - start);
  return phrase.length;
}
