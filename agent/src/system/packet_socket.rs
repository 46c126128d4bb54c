//! A raw socket that gets every frame of one network interface which a filter lets through.

#![expect(
    unsafe_code,
    reason = "packet sockets have no safe face in std or rustix"
)]

use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// One instruction of a classic BPF program, as the kernel takes it (`struct sock_filter`).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    /// Instructions to pass over when a comparison holds, and when it does not.
    pub(crate) if_true: u8,
    pub(crate) if_false: u8,
    pub(crate) operand: u32,
}

const _: () = assert!(size_of::<Instruction>() == size_of::<libc::sock_filter>());

/// The socket.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    fd: OwnedFd,
    link_type: u16,
}

/// One frame that was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes of it that stand in the buffer.
    pub(crate) len: usize,
    /// When it came, since 1970 by the clock of the system; `None` where the kernel does not say.
    pub(crate) arrived_at: Option<Duration>,
}

/// Room for the control message with a time of arrival.
const CONTROL_BYTES: usize = 64;

/// Aligned as the kernel's control messages are.
#[repr(align(8))]
struct Control([MaybeUninit<u8>; CONTROL_BYTES]);

impl PacketSocket {
    /// Listens to the interface with this index; nothing that the filter refuses ever waits.
    ///
    /// # Errors
    /// What the system says: no right to, no such interface, the interface is down.
    pub(crate) fn open(
        interface: u32,
        filter: &[Instruction],
        queue_bytes: u32,
    ) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: no pointers. With protocol 0 nothing is received until it is bound.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut socket = Self {
            // SAFETY: the descriptor was just made and nobody else has it.
            fd: unsafe { OwnedFd::from_raw_fd(fd) },
            link_type: 0,
        };
        socket.attach(filter)?;
        let on: libc::c_int = 1;
        socket.set_option(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &on)?;
        // Without the right to exceed the system's limit, that limit is what we get.
        let queue = i32::try_from(queue_bytes).unwrap_or(i32::MAX);
        if socket
            .set_option(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &queue)
            .is_err()
        {
            socket.set_option(libc::SOL_SOCKET, libc::SO_RCVBUF, &queue)?;
        }
        // Kernels before 4.20 do not know it; what this machine sends has no signal anyway.
        let _ = socket.set_option(libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on);
        socket.bind(interface)?;
        Ok(socket)
    }

    /// The type of the interface's frames (`ARPHRD_*`).
    pub(crate) fn link_type(&self) -> u16 {
        self.link_type
    }

    /// The next frame, cut to the buffer; `None` when there is none now.
    ///
    /// # Errors
    /// What the system says, such as that the interface is down or gone.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = Control([MaybeUninit::uninit(); CONTROL_BYTES]);
        let mut bytes = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: all zeroes is a valid msghdr: null pointers with lengths of zero.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_iov = &raw mut bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = CONTROL_BYTES as _;
        // SAFETY: the message points to the buffer and the control bytes with their lengths; both
        // live until the call is over.
        let len = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &raw mut message, 0) };
        let Ok(len) = usize::try_from(len) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            };
        };
        Ok(Some(Received {
            len: len.min(buffer.len()),
            arrived_at: arrived_at(&message),
        }))
    }

    /// Frames that the kernel dropped because the queue was full, since the last call.
    pub(crate) fn take_dropped(&self) -> u32 {
        // struct tpacket_stats: packets, drops.
        let mut statistics = [0u32; 2];
        let mut len = size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the pointer and the length describe `statistics`.
        let done = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                statistics.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        if done == 0 { statistics[1] } else { 0 }
    }

    fn attach(&self, filter: &[Instruction]) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            // The kernel only reads it; the layouts are the same.
            filter: filter.as_ptr().cast::<libc::sock_filter>().cast_mut(),
        };
        self.set_option(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
    }

    fn bind(&mut self, interface: u32) -> io::Result<()> {
        // SAFETY: all zeroes is a valid address of this family.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as _;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = i32::try_from(interface).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut len = size_of_val(&address) as libc::socklen_t;
        let fd = self.fd.as_raw_fd();
        // SAFETY: the pointer and the length describe `address`.
        if unsafe { libc::bind(fd, (&raw const address).cast(), len) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: as above; the kernel writes no more than `len`.
        if unsafe { libc::getsockname(fd, (&raw mut address).cast(), &raw mut len) } != 0 {
            return Err(io::Error::last_os_error());
        }
        self.link_type = address.sll_hatype;
        // An interface that is down binds all the same and says so in the socket's own error.
        match self.take_error()? {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    fn take_error(&self) -> io::Result<i32> {
        let mut code: libc::c_int = 0;
        let mut len = size_of_val(&code) as libc::socklen_t;
        // SAFETY: the pointer and the length describe `code`.
        let done = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut code).cast(),
                &raw mut len,
            )
        };
        if done == 0 {
            Ok(code)
        } else {
            Err(io::Error::last_os_error())
        }
    }

    fn set_option<T>(&self, level: i32, name: i32, value: &T) -> io::Result<()> {
        // SAFETY: the pointer and the length describe `value`, which the kernel only reads.
        let done = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                level,
                name,
                std::ptr::from_ref(value).cast(),
                size_of::<T>() as libc::socklen_t,
            )
        };
        if done == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The time in a message's control bytes.
fn arrived_at(message: &libc::msghdr) -> Option<Duration> {
    // SAFETY: the kernel has set the length of the control bytes to what it wrote.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: the macros only give headers that lie within the control bytes.
        let (level, kind, len) = unsafe {
            let header = &*header;
            (
                header.cmsg_level,
                header.cmsg_type,
                header.cmsg_len as usize,
            )
        };
        // SAFETY: a length without data.
        let wanted = unsafe { libc::CMSG_LEN(size_of::<libc::timespec>() as u32) } as usize;
        let is_time = (level, kind) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS);
        if is_time && len >= wanted {
            // SAFETY: the data of this header is at least that long; it may stand unaligned.
            let time: libc::timespec = unsafe {
                libc::CMSG_DATA(header)
                    .cast::<libc::timespec>()
                    .read_unaligned()
            };
            let seconds = u64::try_from(time.tv_sec).ok()?;
            return Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?));
        }
        // SAFETY: as for the first one.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}
