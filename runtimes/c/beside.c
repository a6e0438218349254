/* The weights of a library that has them in a file beside it, mapped read-only when the library is loaded: so all libraries and processes share
 * one copy. What stands before this says FILE_NAME; BYTES, those of the weights; and ID, by which the file ends that belongs to the library.
 * `weights` is null where there is no such file. */
#define ID_BYTES (sizeof ID - 1)
static const uint8_t *weights;
/* Something of this library. */
static const char here;

#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#define LONGEST 32768
static const uint8_t *map(const WCHAR *path) {
  const HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE) return NULL;
  LARGE_INTEGER size;
  const uint8_t *found = NULL;
  if (GetFileSizeEx(file, &size) && size.QuadPart == BYTES + (LONGLONG)ID_BYTES) {
    const HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    if (mapping != NULL) {
      found = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
      CloseHandle(mapping);
    }
  }
  CloseHandle(file);
  return found;
}
static void unmap(const uint8_t *found) { UnmapViewOfFile(found); }
static const uint8_t *find(void) {
  static const WCHAR name[] = L"" FILE_NAME;
  HMODULE self;
  if (!GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, (LPCWSTR)(const void *)&here, &self))
    return NULL;
  WCHAR *path = malloc(LONGEST * sizeof *path + sizeof name);
  if (path == NULL) return NULL;
  size_t end = GetModuleFileNameW(self, path, LONGEST);
  if (end == LONGEST) end = 0;
  while (end > 0 && path[end - 1] != L'\\' && path[end - 1] != L'/') end--;
  memcpy(path + end, name, sizeof name);
  const uint8_t *found = map(path);
  free(path);
  return found;
}
#else
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
static const uint8_t *map(const char *path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return NULL;
  struct stat info;
  void *found = MAP_FAILED;
  if (fstat(file, &info) == 0 && info.st_size == (off_t)(BYTES + ID_BYTES))
    found = mmap(NULL, BYTES + ID_BYTES, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  return found == MAP_FAILED ? NULL : found;
}
static void unmap(const uint8_t *found) { munmap((void *)(uintptr_t)found, BYTES + ID_BYTES); }
/* The file in the folder of a library. */
static const uint8_t *find_by(const char *library) {
  size_t end = strlen(library);
  while (end > 0 && library[end - 1] != '/') end--;
  char *path = malloc(end + sizeof FILE_NAME);
  if (path == NULL) return NULL;
  memcpy(path, library, end);
  memcpy(path + end, FILE_NAME, sizeof FILE_NAME);
  const uint8_t *found = map(path);
  free(path);
  return found;
}
static const uint8_t *find(void) {
  Dl_info self;
  if (dladdr(&here, &self) == 0 || self.dli_fname == NULL) return NULL;
  const uint8_t *found = find_by(self.dli_fname);
  if (found != NULL) return found;
  /* The library may be a link to where both are. */
  char *real = realpath(self.dli_fname, NULL);
  if (real != NULL) found = find_by(real);
  free(real);
  return found;
}
#endif
/* Nothing unmaps them: a program may end while its other threads still run the model. */
__attribute__((constructor)) static void find_weights(void) {
  weights = find();
  if (weights == NULL || memcmp(weights + BYTES, ID, ID_BYTES) == 0) return;
  unmap(weights);
  weights = NULL;
}
