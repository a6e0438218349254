/* The part of node.c that is the same for every model: gives the model to JavaScript through Node-API, natively or, in WebAssembly,
 * through emnapi. What stands before it describes the model at hand: ID, MEMORY, ALIGN, STATE, ARGS, missing, start_pool and end_pool,
 * run_model and error_text.
 *
 * The addon is { id, open }. open() makes an instance with memory of its own and gives { memory, run }: memory is a Uint8Array in which the
 * inputs and outputs lie, and after a run, at STATE, as int32: the code that it gave and the sizes that the model worked out; run(...sizes)
 * runs it. Each thread may load the addon and open instances, which share the pool that a model of several threads has, since a run ends
 * before another begins; threads of JavaScript share nothing. */
#include <stdlib.h>
#include <string.h>

/* What is used of Node-API, whose binary interface Node promises to keep, so that a C compiler is all that it takes to build this. With
 * -DNODE_API_HEADERS the types come from Node's own headers, and the functions are checked against them. */
#ifdef NODE_API_HEADERS
#include <node_api.h>
#define EXPORT NAPI_MODULE_EXPORT
#define IMPORT NAPI_EXTERN
#else
typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_ref__ *napi_ref;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
typedef void (*napi_finalize)(napi_env, void *data, void *hint);
typedef int napi_status;             /* 0: it went well; else an exception may be pending */
typedef int napi_typedarray_type;
#define napi_ok 0
#define napi_uint8_array 1
#define NAPI_AUTO_LENGTH ((size_t)-1)
#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#ifdef __wasm__
#define IMPORT __attribute__((import_module("napi")))
#else
#define IMPORT
#endif
#endif

/* The functions of Node-API that are used, each with its parameters. */
#define FUNCTIONS(F) \
  F(napi_get_cb_info, (napi_env, napi_callback_info, size_t *argc, napi_value *argv, napi_value *this_arg, void **data)) \
  F(napi_get_value_int32, (napi_env, napi_value, int32_t *)) \
  F(napi_throw_error, (napi_env, const char *code, const char *message)) \
  F(napi_create_string_utf8, (napi_env, const char *, size_t, napi_value *)) \
  F(napi_create_object, (napi_env, napi_value *)) \
  F(napi_set_named_property, (napi_env, napi_value, const char *, napi_value)) \
  F(napi_create_function, (napi_env, const char *name, size_t, napi_callback, void *data, napi_value *)) \
  F(napi_set_instance_data, (napi_env, void *, napi_finalize, void *hint)) \
  F(napi_get_instance_data, (napi_env, void **)) \
  F(napi_add_finalizer, (napi_env, napi_value, void *, napi_finalize, void *hint, napi_ref *)) \
  FUNCTIONS_OF_BUFFERS(F)
#ifdef __wasm__
#define FUNCTIONS_OF_BUFFERS(F)
#else
#define FUNCTIONS_OF_BUFFERS(F) \
  F(napi_create_arraybuffer, (napi_env, size_t, void **data, napi_value *)) \
  F(napi_create_typedarray, (napi_env, napi_typedarray_type, size_t, napi_value buffer, size_t offset, napi_value *)) \
  F(napi_get_arraybuffer_info, (napi_env, napi_value, void **data, size_t *)) \
  F(napi_create_reference, (napi_env, napi_value, uint32_t count, napi_ref *)) \
  F(napi_get_reference_value, (napi_env, napi_ref, napi_value *)) \
  F(napi_delete_reference, (napi_env, napi_ref))
#endif

#if defined(_WIN32) && !defined(NODE_API_HEADERS)
/* A DLL that names where its imports come from cannot be loaded by a program of another name, and Node is a part of many programs: the
 * functions are looked up in the one that is running, or in the libraries that some are divided into. */
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#define F(name, parameters) static napi_status (*name) parameters;
FUNCTIONS(F)
#undef F
typedef void (*any_function)(void);
static any_function function_of_node(const char *name) {
  static const char *const places[] = {NULL, "libnode.dll", "node.dll", "nw.dll"};
  any_function found = NULL;
  for (size_t i = 0; i < sizeof places / sizeof *places && found == NULL; i++) {
    const HMODULE place = GetModuleHandleA(places[i]);
    if (place != NULL) found = (any_function)GetProcAddress(place, name);
  }
  return found;
}
static int find_functions(void) {
#define F(name, parameters) \
  name = (napi_status(*) parameters)function_of_node(#name); \
  if (name == NULL) return 0;
  FUNCTIONS(F)
#undef F
  return 1;
}
#else
#define F(name, parameters) IMPORT napi_status name parameters;
FUNCTIONS(F)
#undef F
static int find_functions(void) { return 1; }
#endif

/* Where the model lies in a library (LIBRARY), it is loaded from beside this addon and has names of its own, whatever Node calls its functions.
 * LIBRARY_ID is the name of its ID there, and MODEL lists its functions that are used. NULL, or what went wrong. */
#ifdef LIBRARY
static char here; /* an address within this addon */
#ifdef _WIN32
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
static const char *open_library(HMODULE *library) {
  enum { LONGEST = 4096 };
  static const wchar_t file[] = L"" LIBRARY;
  wchar_t path[LONGEST + sizeof file / sizeof *file];
  HMODULE self = NULL;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, &here, &self);
  size_t end = GetModuleFileNameW(self, path, LONGEST);
  if (end == 0 || end == LONGEST) return "there is no path to " LIBRARY;
  while (end > 0 && path[end - 1] != L'\\' && path[end - 1] != L'/') end--;
  memcpy(path + end, file, sizeof file);
  *library = LoadLibraryExW(path, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
  return *library == NULL ? LIBRARY " beside it does not load" : NULL;
}
typedef HMODULE library_handle;
typedef FARPROC library_symbol;
#define SYMBOL(library, name) GetProcAddress(library, name)
#else
#include <dlfcn.h>
static const char *open_library(void **library) {
  Dl_info self;
  if (dladdr(&here, &self) == 0 || self.dli_fname == NULL) return "there is no path to " LIBRARY;
  size_t end = strlen(self.dli_fname);
  while (end > 0 && self.dli_fname[end - 1] != '/') end--;
  char *path = malloc(end + sizeof LIBRARY);
  if (path == NULL) return "there is no memory for the model";
  memcpy(path, self.dli_fname, end);
  memcpy(path + end, LIBRARY, sizeof LIBRARY);
  *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  free(path);
  return *library == NULL ? dlerror() : NULL;
}
typedef void *library_handle;
typedef void *library_symbol;
#define SYMBOL(library, name) dlsym(library, name)
#endif
static const char *find_model(void) {
  library_handle library;
  const char *why = open_library(&library);
  if (why != NULL) return why;
  library_symbol found = SYMBOL(library, LIBRARY_ID);
  const char *id = NULL;
  memcpy(&id, &found, sizeof id);
  if (id == NULL || strcmp(id, ID) != 0) return LIBRARY " beside it is of another compilation";
#define F(result, name, parameters) \
  found = SYMBOL(library, #name); \
  if (found == NULL) return LIBRARY " beside it has no " #name; \
  memcpy(&library_##name, &found, sizeof found);
  MODEL(F)
#undef F
#ifdef WEIGHTS
  if (WEIGHTS() == NULL) return "model.weights is not beside " LIBRARY ", or is of another compilation";
#endif
  return NULL;
}
#else
static const char *find_model(void) { return NULL; }
#endif

typedef struct { uint8_t *memory; napi_ref buffer; void *pool; } instance;

/* The memory of an instance, as a Uint8Array. In WebAssembly it is a part of the module's own. Natively it is an ArrayBuffer, which Node's
 * garbage collector counts and frees, and which scripts can transfer elsewhere: then there is no memory any more. */
#ifdef __wasm__
__attribute__((import_module("emnapi"))) napi_status emnapi_create_memory_view(
    napi_env, int type, void *, size_t, napi_finalize, void *hint, napi_value *);

static int make_memory(napi_env env, instance *x, napi_value *view) {
  x->memory = aligned_alloc(ALIGN, (MEMORY + ALIGN - 1) / ALIGN * ALIGN);
  if (x->memory == NULL) return 0;
  memset(x->memory, 0, MEMORY);
  return emnapi_create_memory_view(env, napi_uint8_array, x->memory, MEMORY, NULL, NULL, view) == napi_ok;
}
static int has_memory(napi_env env, const instance *x) {
  (void)env;
  return x->memory != NULL;
}
static void free_memory(napi_env env, instance *x) {
  (void)env;
  free(x->memory);
}
#else
static int make_memory(napi_env env, instance *x, napi_value *view) {
  napi_value buffer;
  void *data;
  if (napi_create_arraybuffer(env, MEMORY + ALIGN, &data, &buffer) != napi_ok || data == NULL) return 0;
  const size_t offset = (ALIGN - (uintptr_t)data % ALIGN) % ALIGN;
  x->memory = (uint8_t *)data + offset;
  return napi_create_typedarray(env, napi_uint8_array, MEMORY, buffer, offset, view) == napi_ok &&
         napi_create_reference(env, buffer, 1, &x->buffer) == napi_ok;
}
static int has_memory(napi_env env, const instance *x) {
  napi_value buffer;
  void *data = NULL;
  size_t bytes = 0;
  return napi_get_reference_value(env, x->buffer, &buffer) == napi_ok &&
         napi_get_arraybuffer_info(env, buffer, &data, &bytes) == napi_ok && bytes > 0;
}
static void free_memory(napi_env env, instance *x) {
  if (x->buffer != NULL) napi_delete_reference(env, x->buffer);
}
#endif

static napi_value throw_error(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
  return NULL;
}

static napi_value run(napi_env env, napi_callback_info info) {
  void *data = NULL;
  napi_value given[ARGS + 1];
  int32_t sizes[ARGS + 1];
  const size_t wanted = ARGS;
  size_t n = wanted;
  if (napi_get_cb_info(env, info, &n, given, NULL, &data) != napi_ok) return NULL;
  const instance *x = data;
  if (!has_memory(env, x)) return throw_error(env, "E502", "the memory of the model was transferred; load the model again");
  for (size_t i = 0; i < wanted; i++)
    if (i >= n || napi_get_value_int32(env, given[i], &sizes[i]) != napi_ok) return throw_error(env, "E502", "run takes the sizes as numbers");
  int32_t *state = (int32_t *)(void *)(x->memory + STATE);
  const int code = state[0] = run_model(x->pool, x->memory, sizes, state + 1);
  return code == 0 ? NULL : throw_error(env, "E502", error_text(code));
}

static void close_instance(napi_env env, void *data, void *hint) {
  instance *x = data;
  (void)hint;
  free_memory(env, x);
  free(x);
}
static napi_value open_instance(napi_env env, napi_callback_info info) {
  napi_value out, memory, function;
  instance *x = calloc(1, sizeof *x);
  (void)info;
  if (x == NULL || !make_memory(env, x, &memory)) {
    if (x != NULL) close_instance(env, x, NULL);
    /* Where Node itself has thrown, this changes nothing. */
    return throw_error(env, "E502", "there is no memory for the model");
  }
  if (napi_get_instance_data(env, &x->pool) != napi_ok ||
      napi_create_function(env, "run", NAPI_AUTO_LENGTH, run, x, &function) != napi_ok ||
      napi_add_finalizer(env, function, x, close_instance, NULL, NULL) != napi_ok) {
    close_instance(env, x, NULL);
    return NULL;
  }
  if (napi_create_object(env, &out) != napi_ok || napi_set_named_property(env, out, "memory", memory) != napi_ok ||
      napi_set_named_property(env, out, "run", function) != napi_ok)
    return NULL;
  return out;
}

static void end(napi_env env, void *pool, void *hint) {
  (void)env;
  (void)hint;
  end_pool(pool);
}

#ifdef __wasm__
#define REGISTER napi_register_wasm_v1
#else
#define REGISTER napi_register_module_v1
#endif
EXPORT napi_value REGISTER(napi_env env, napi_value exports);
EXPORT napi_value REGISTER(napi_env env, napi_value exports) {
  napi_value id, open;
  if (!find_functions()) return NULL; /* and nothing to say it with */
  /* An instruction that the processor has not would end the program. */
  const char *lacks = missing();
  if (lacks != NULL) return throw_error(env, "E401", lacks);
  const char *why = find_model();
  if (why != NULL) return throw_error(env, "E205", why);
  void *pool = start_pool();
  if (napi_set_instance_data(env, pool, end, NULL) != napi_ok) {
    end_pool(pool);
    return NULL;
  }
  if (napi_create_string_utf8(env, ID, NAPI_AUTO_LENGTH, &id) != napi_ok ||
      napi_create_function(env, "open", NAPI_AUTO_LENGTH, open_instance, NULL, &open) != napi_ok ||
      napi_set_named_property(env, exports, "id", id) != napi_ok || napi_set_named_property(env, exports, "open", open) != napi_ok)
    return NULL;
  return exports;
}
