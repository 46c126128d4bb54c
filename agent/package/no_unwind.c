/* A program that ends when it panics never walks its stack, yet std keeps a door to that behind
 * RUST_BACKTRACE, and a routine for landing that nobody calls. With these behind the door the walk
 * ends at once, and the library that knows how to walk (zig's libunwind, 45 kB) stays out of the
 * program. All that it offers must be here, or the linker takes it along. */

int _Unwind_Backtrace(void *trace, void *argument) {
  (void)trace, (void)argument;
  return 5; /* end of the stack */
}

void *_Unwind_FindEnclosingFunction(void *pc) { return pc; }

/* Nobody comes here: there is no frame to ask about, and nothing is thrown. */
#define NOBODY(name)                                                                              \
  void name(void) { __builtin_trap(); }
NOBODY(_Unwind_DeleteException)
NOBODY(_Unwind_ForcedUnwind)
NOBODY(_Unwind_GetCFA)
NOBODY(_Unwind_GetDataRelBase)
NOBODY(_Unwind_GetGR)
NOBODY(_Unwind_GetIP)
NOBODY(_Unwind_GetIPInfo)
NOBODY(_Unwind_GetLanguageSpecificData)
NOBODY(_Unwind_GetRegionStart)
NOBODY(_Unwind_GetTextRelBase)
NOBODY(_Unwind_RaiseException)
NOBODY(_Unwind_Resume)
NOBODY(_Unwind_Resume_or_Rethrow)
NOBODY(_Unwind_SetGR)
NOBODY(_Unwind_SetIP)
/* The same on 32-bit ARM, which has its own interface. */
NOBODY(_Unwind_VRS_Get)
NOBODY(_Unwind_VRS_Set)
NOBODY(_Unwind_Complete)
NOBODY(__gnu_unwind_frame)
NOBODY(__aeabi_unwind_cpp_pr0)
NOBODY(__aeabi_unwind_cpp_pr1)
NOBODY(__aeabi_unwind_cpp_pr2)
