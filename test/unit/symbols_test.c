/* Names of functions: static ones, those of libraries, and what a damaged file may cost. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <dlfcn.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/deadline.h"
#include "runtime/symbols.h"

__attribute__((noinline)) static int a_static_function(int x) {
  __asm__ volatile("" ::: "memory");
  return x + 1;
}

static void a_static_function_has_its_name(void **state) {
  (void)state;
  char name[128];
  uintptr_t pc = (uintptr_t)a_static_function;
  assert_int_equal(a_static_function(1), 2);
  assert_int_equal(trp_symbols_name(pc, name, sizeof name), strlen("a_static_function+0x0"));
  assert_string_equal(name, "a_static_function+0x0");
  trp_symbols_name(pc + 2, name, sizeof name);
  assert_string_equal(name, "a_static_function+0x2");
}

static void a_function_of_a_library_has_its_name(void **state) {
  (void)state;
  char name[128];
  void *handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  assert_non_null(handle);
  uintptr_t pc = (uintptr_t)dlsym(handle, "getppid");
  trp_symbols_name(pc + 1, name, sizeof name);
  dlclose(handle);
  assert_non_null(strstr(name, "getppid+0x1"));
}

static void an_address_outside_any_function_has_its_module_or_only_its_number(void **state) {
  (void)state;
  static int object;
  char name[128];
  trp_symbols_name((uintptr_t)&object, name, sizeof name);
  assert_non_null(strstr(name, "+0x"));
  assert_non_null(strstr(name, "symbols"));
  trp_symbols_name(0x10, name, sizeof name);
  assert_string_equal(name, "0x10");
  trp_symbols_name(UINTPTR_MAX, name, sizeof name);
  assert_string_equal(name, "0xffffffffffffffff");
}

static void a_name_that_does_not_fit_is_cut_and_terminated(void **state) {
  (void)state;
  char name[16];
  for (size_t bytes = 0; bytes < sizeof name; bytes++) {
    memset(name, '#', sizeof name);
    size_t length = trp_symbols_name((uintptr_t)a_static_function, name, bytes);
    assert_int_equal(length, bytes == 0 ? 0 : bytes - 1);
    if (bytes > 0) assert_int_equal(name[length], '\0');
    assert_int_equal(name[bytes], '#');
    assert_memory_equal(name, "a_static_function", length);
  }
}

static void loading_twice_changes_nothing(void **state) {
  (void)state;
  size_t count = trp_symbols_count();
  assert_true(count > 1000);
  trp_symbols_load();
  assert_int_equal(trp_symbols_count(), count);
}

/* The program's own file in memory, to be damaged. */
static int copy_of_self(size_t *bytes) {
  int self = open("/proc/self/exe", O_RDONLY), copy = memfd_create("copy", MFD_CLOEXEC);
  assert_true(self >= 0 && copy >= 0);
  static char piece[1 << 16];
  *bytes = 0;
  for (ssize_t n; (n = read(self, piece, sizeof piece)) > 0; *bytes += (size_t)n) {
    assert_int_equal(write(copy, piece, (size_t)n), n);
  }
  close(self);
  return copy;
}

/* Reads a file into a table of its own and asks it about some addresses. */
static enum trp_err read_copy(int copy, size_t *count) {
  struct trp_symbol_table *table;
  assert_int_equal(trp_symbol_table_new(&table), TRP_OK);
  enum trp_err err = trp_symbol_table_read(table, copy, 0x1000000);
  trp_symbol_table_sort(table);
  *count = trp_symbol_table_count(table);
  uintptr_t start;
  for (uintptr_t pc = 0; pc < 0x2000000; pc += 0x1357f) {
    const char *name = trp_symbol_table_find(table, pc, &start);
    if (name != NULL) assert_true(strlen(name) > 0 && start <= pc);
  }
  trp_symbol_table_destroy(&table);
  trp_symbol_table_destroy(&table);
  return err;
}

static void a_truncated_file_is_an_error_and_nothing_worse(void **state) {
  (void)state;
  size_t bytes, count;
  int copy = copy_of_self(&bytes);
  assert_int_equal(read_copy(copy, &count), TRP_OK);
  assert_true(count > 10);
  for (size_t i = 1; i <= 40; i++) {
    assert_int_equal(ftruncate(copy, (off_t)(bytes - bytes * i / 40)), 0);
    enum trp_err err = read_copy(copy, &count);
    assert_int_not_equal(err, TRP_OK); /* the section table stands at the end */
  }
  close(copy);
}

static void a_damaged_file_costs_names_and_nothing_worse(void **state) {
  (void)state;
  size_t bytes, count, refused = 0;
  int copy = copy_of_self(&bytes);
  Elf64_Ehdr header;
  assert_int_equal(pread(copy, &header, sizeof header, 0), sizeof header);
  size_t sections_bytes = header.e_shnum * sizeof(Elf64_Shdr);
  srand(1);
  for (size_t i = 0; i < 300; i++) {
    /* In turn the header and the table of sections: the rest is only read. */
    off_t at = i % 2 == 0 ? (off_t)((size_t)rand() % sizeof header)
                          : (off_t)(header.e_shoff + (size_t)rand() % sections_bytes);
    unsigned char before, after = (unsigned char)rand();
    assert_int_equal(pread(copy, &before, 1, at), 1);
    assert_int_equal(pwrite(copy, &after, 1, at), 1);
    refused += read_copy(copy, &count) != TRP_OK;
    assert_int_equal(pwrite(copy, &before, 1, at), 1);
  }
  assert_true(refused > 0);
  close(copy);
}

static void a_declared_size_is_believed_only_within_the_file(void **state) {
  (void)state;
  size_t bytes, count;
  int copy = copy_of_self(&bytes);
  Elf64_Ehdr header;
  assert_int_equal(pread(copy, &header, sizeof header, 0), sizeof header);
  for (uint16_t i = 0; i < header.e_shnum; i++) {
    off_t at = (off_t)(header.e_shoff + i * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size));
    uint64_t huge = UINT64_C(1) << 62;
    assert_int_equal(pwrite(copy, &huge, sizeof huge, at), sizeof huge);
  }
  assert_int_equal(read_copy(copy, &count), TRP_MALFORMED);
  assert_int_equal(count, 0);
  close(copy);
}

static int load(void **state) {
  (void)state;
  uint64_t begin_ns = trp_deadline_now_ns();
  trp_symbols_load();
  printf("%zu functions read in %.1f ms\n", trp_symbols_count(),
         (double)(trp_deadline_now_ns() - begin_ns) / 1e6);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_static_function_has_its_name),
      cmocka_unit_test(a_function_of_a_library_has_its_name),
      cmocka_unit_test(an_address_outside_any_function_has_its_module_or_only_its_number),
      cmocka_unit_test(a_name_that_does_not_fit_is_cut_and_terminated),
      cmocka_unit_test(loading_twice_changes_nothing),
      cmocka_unit_test(a_truncated_file_is_an_error_and_nothing_worse),
      cmocka_unit_test(a_damaged_file_costs_names_and_nothing_worse),
      cmocka_unit_test(a_declared_size_is_believed_only_within_the_file),
  };
  return cmocka_run_group_tests(tests, load, NULL);
}
