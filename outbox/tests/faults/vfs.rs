//! A file system for SQLite that fails where it is told to: a thin layer over the system's own.
//!
//! # Safety
//! The only unsafe code of the crate's tests. Every function hands its call on to the file system below
//! with the same arguments, but for the file itself: SQLite gives memory of `szOsFile` bytes, of which
//! the first are a [`File`] and the rest belongs to the file below. The layer is registered once and
//! never goes. A `File` keeps its plan alive from `open` to `close`.

#![expect(
    unsafe_code,
    reason = "SQLite's file systems are tables of C functions"
)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, Once};

use rusqlite::ffi;

/// What may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Write,
    Sync,
    Truncate,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Nothing is done, and an error is returned.
    Refused,
    /// There is no space.
    Full,
    /// Half of it is done, and an error is returned.
    Torn,
    /// All of it is done, and an error is returned all the same.
    Lied,
}

/// The n-th operation on files below a folder fails.
#[derive(Debug)]
pub(crate) struct Plan {
    folder: PathBuf,
    operation: Operation,
    how: How,
    /// Whether everything fails from then on, as on a disk that was pulled out.
    for_good: bool,
    left: AtomicI64,
    hit: AtomicBool,
}

impl Plan {
    /// From now on, until it is dropped by [`Plan::end`].
    pub(crate) fn begin(
        folder: &Path,
        operation: Operation,
        nth: i64,
        how: How,
        for_good: bool,
    ) -> Arc<Self> {
        REGISTERED.call_once(register);
        let plan = Arc::new(Self {
            folder: folder.to_owned(),
            operation,
            how,
            for_good,
            left: AtomicI64::new(nth),
            hit: AtomicBool::new(false),
        });
        PLANS.lock().unwrap().push(Arc::clone(&plan));
        plan
    }

    /// Ends it; whether its fault took place. Files that are open have no more faults.
    pub(crate) fn end(&self) -> bool {
        PLANS
            .lock()
            .unwrap()
            .retain(|plan| !std::ptr::eq(plan.as_ref(), self));
        self.left.store(i64::MAX, Ordering::SeqCst);
        self.hit.load(Ordering::SeqCst)
    }

    /// How this operation fails, if it does.
    fn fault(&self, operation: Operation) -> Option<How> {
        let dead = self.for_good && self.left.load(Ordering::SeqCst) <= 0;
        if dead {
            return Some(How::Refused);
        }
        if operation != self.operation || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return None;
        }
        self.hit.store(true, Ordering::SeqCst);
        Some(self.how)
    }
}

static REGISTERED: Once = Once::new();
static PLANS: Mutex<Vec<Arc<Plan>>> = Mutex::new(Vec::new());
static BELOW: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(std::ptr::null_mut());

/// The start of the memory of a file; the file below follows it.
#[repr(C)]
struct File {
    methods: *const ffi::sqlite3_io_methods,
    /// From `Arc::into_raw`, or null for files without a plan.
    plan: *const Plan,
}

/// The memory of the file below.
unsafe fn below(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` has room for both, and `File` is a whole number of pointers.
    unsafe { file.cast::<File>().add(1).cast() }
}

fn register() {
    // SAFETY: the default file system lives as long as the process, and so does the leaked copy.
    unsafe {
        let real = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!real.is_null());
        BELOW.store(real, Ordering::SeqCst);
        let mut layer = std::ptr::read(real);
        layer.zName = c"faulty".as_ptr();
        layer.szOsFile += size_of::<File>() as c_int;
        layer.pNext = std::ptr::null_mut();
        layer.xOpen = Some(open);
        let layer = Box::leak(Box::new(layer));
        assert_eq!(ffi::sqlite3_vfs_register(layer, 1), ffi::SQLITE_OK);
    }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: see the module; the name is null or ends with a zero.
    unsafe {
        let real = BELOW.load(Ordering::SeqCst);
        let Some(real_open) = (*real).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let mine = file.cast::<File>();
        (*mine).methods = std::ptr::null();
        (*mine).plan = std::ptr::null();
        (*below(file)).pMethods = std::ptr::null();
        let answer = real_open(real, name, below(file), flags, flags_out);
        if !(*below(file)).pMethods.is_null() {
            (*mine).methods = &METHODS;
            (*mine).plan = plan_of(name);
        }
        answer
    }
}

/// The plan of a file, with a count of its own.
unsafe fn plan_of(name: *const c_char) -> *const Plan {
    if name.is_null() {
        return std::ptr::null();
    }
    // SAFETY: the caller's.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    let plans = PLANS.lock().unwrap();
    let plan = plans
        .iter()
        .find(|plan| Path::new(&*name).starts_with(&plan.folder));
    plan.map_or(std::ptr::null(), |plan| Arc::into_raw(Arc::clone(plan)))
}

unsafe fn fault(file: *mut ffi::sqlite3_file, operation: Operation) -> Option<How> {
    // SAFETY: the plan is alive until the file is closed.
    unsafe { (*file.cast::<File>()).plan.as_ref() }.and_then(|plan| plan.fault(operation))
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file below is closed once, and so is the count given back.
    unsafe {
        let mine = file.cast::<File>();
        if !(*mine).plan.is_null() {
            drop(Arc::from_raw((*mine).plan));
            (*mine).plan = std::ptr::null();
        }
        let file = below(file);
        match (*(*file).pMethods).xClose {
            Some(close) => close(file),
            None => ffi::SQLITE_OK,
        }
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    count: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: at most `count` bytes are written.
    unsafe {
        let how = fault(file, Operation::Write);
        let file = below(file);
        let Some(write) = (*(*file).pMethods).xWrite else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        match how {
            None => write(file, bytes, count, at),
            Some(How::Refused) => ffi::SQLITE_IOERR_WRITE,
            Some(How::Full) => ffi::SQLITE_FULL,
            Some(How::Torn) => {
                write(file, bytes, count / 2, at);
                ffi::SQLITE_IOERR_WRITE
            }
            Some(How::Lied) => {
                write(file, bytes, count, at);
                ffi::SQLITE_IOERR_WRITE
            }
        }
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: see the module.
    unsafe {
        if let Some(how) = fault(file, Operation::Sync) {
            return match how {
                How::Full => ffi::SQLITE_FULL,
                _ => ffi::SQLITE_IOERR_FSYNC,
            };
        }
        // No power is cut here: what a plan does not fail needs no disk, and thousands would take long.
        let planned = !(*file.cast::<File>()).plan.is_null();
        let file = below(file);
        match (*(*file).pMethods).xSync {
            Some(sync) if !planned => sync(file, flags),
            _ => ffi::SQLITE_OK,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see the module.
    unsafe {
        let how = fault(file, Operation::Truncate);
        let file = below(file);
        match ((*(*file).pMethods).xTruncate, how) {
            (Some(truncate), None) => truncate(file, size),
            _ => ffi::SQLITE_IOERR_TRUNCATE,
        }
    }
}

/// Functions that hand their call on.
macro_rules! handed_on {
    ($($name:ident = $field:ident($($argument:ident: $type:ty),*) -> $answer:ty, $otherwise:expr;)*) => {
        $(
            unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($argument: $type),*) -> $answer {
                // SAFETY: see the module.
                unsafe {
                    let file = below(file);
                    match (*(*file).pMethods).$field {
                        Some(call) => call(file, $($argument),*),
                        None => $otherwise,
                    }
                }
            }
        )*
    };
}

handed_on! {
    read = xRead(bytes: *mut c_void, count: c_int, at: ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_READ;
    file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int, ffi::SQLITE_IOERR_FSTAT;
    lock = xLock(level: c_int) -> c_int, ffi::SQLITE_IOERR_LOCK;
    unlock = xUnlock(level: c_int) -> c_int, ffi::SQLITE_IOERR_UNLOCK;
    check_lock = xCheckReservedLock(result: *mut c_int) -> c_int, ffi::SQLITE_IOERR_CHECKRESERVEDLOCK;
    control = xFileControl(code: c_int, argument: *mut c_void) -> c_int, ffi::SQLITE_NOTFOUND;
    sector_size = xSectorSize() -> c_int, 4096;
    characteristics = xDeviceCharacteristics() -> c_int, 0;
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, memory: *mut *mut c_void) -> c_int, ffi::SQLITE_IOERR_SHMMAP;
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int, ffi::SQLITE_IOERR_SHMLOCK;
    shm_barrier = xShmBarrier() -> (), ();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int, ffi::SQLITE_OK;
    fetch = xFetch(at: ffi::sqlite3_int64, count: c_int, memory: *mut *mut c_void) -> c_int, ffi::SQLITE_OK;
    unfetch = xUnfetch(at: ffi::sqlite3_int64, memory: *mut c_void) -> c_int, ffi::SQLITE_OK;
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 3,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: Some(fetch),
    xUnfetch: Some(unfetch),
};
