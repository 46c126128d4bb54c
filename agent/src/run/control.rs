//! The two halves of the control stream, each with a future of its own: neither waits for the other.

use link::{ControlError, ControlReader, ControlWriter, LinkClosed};
use tokio::sync::mpsc;
use wire::Frame;

use super::pump::Ended;

/// A frame from the node, or at last why no more come.
pub(super) type Incoming = Result<Frame, Ended>;

/// Passes frames on in order, and at last why no more come; then waits to be dropped.
pub(super) async fn read_control(mut reader: ControlReader, read: mpsc::Sender<Incoming>) {
    loop {
        let incoming = match reader.read().await {
            Ok(Some(frame)) => Ok(frame),
            Ok(None) => Err(Ended::Lost("the node ended the control stream".to_owned())),
            Err(error) => Err(Ended::of(&error)),
        };
        let over = incoming.is_err();
        if read.send(incoming).await.is_err() || over {
            return std::future::pending().await;
        }
    }
}

/// Writes frames one after the other; a node that takes none delays nothing but its reports.
pub(super) async fn write_control(
    mut writer: ControlWriter,
    mut to_write: mpsc::Receiver<Frame>,
    read: mpsc::Sender<Incoming>,
) {
    while let Some(frame) = to_write.recv().await {
        match writer.write(&frame).await {
            Ok(()) => {}
            // The reader knows more about a link that has closed.
            Err(ControlError::Closed(_)) => break,
            Err(error) => {
                // Whoever stopped listening has seen the end already.
                let _ = read.send(Err(Ended::of(&error))).await;
                break;
            }
        }
    }
    std::future::pending().await
}

impl Ended {
    /// The node refuses a certificate only after the agent believes that the link stands.
    pub(super) fn of(error: &ControlError) -> Self {
        match error {
            ControlError::Closed(LinkClosed::Refused { why }) => Self::Refused(why.clone()),
            ControlError::Closed(closed) => Self::Lost(closed.to_string()),
            error => Self::Lost(format!("control stream: {error}")),
        }
    }
}
