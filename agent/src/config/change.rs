//! What changed from one reading of the file to the next, and what can follow at once.

use super::FileConfig;

impl FileConfig {
    /// Whether the sources are those of `before`, so that they need not be opened again.
    pub fn has_sources_of(&self, before: &Self) -> bool {
        self.sources.are_those_of(&before.sources)
    }

    /// This configuration, but with what holds from the start only as in `before`: it is in force.
    #[must_use]
    pub fn with_start_of(mut self, before: &Self) -> Self {
        self.agent.nodes.clone_from(&before.agent.nodes);
        self.agent.server_name.clone_from(&before.agent.server_name);
        self.agent.batcher = before.agent.batcher;
        self.agent.short_ids = before.agent.short_ids;
        self.authority.clone_from(&before.authority);
        self.certificate.clone_from(&before.certificate);
        self.key.clone_from(&before.key);
        self.memory_mib = before.memory_mib;
        self.status_socket.clone_from(&before.status_socket);
        self
    }

    /// Keys and tables that differ from `before` and hold from the next start only.
    pub fn for_next_start(&self, before: &Self) -> Vec<&'static str> {
        let (agent, old) = (&self.agent, &before.agent);
        let identity =
            |config: &Self| [&config.authority, &config.certificate, &config.key].map(Clone::clone);
        let changed = [
            ("nodes", agent.nodes != old.nodes),
            ("server_name", agent.server_name != old.server_name),
            ("[identity]", identity(self) != identity(before)),
            (
                "[batching]",
                agent.batcher != old.batcher || agent.short_ids != old.short_ids,
            ),
            ("memory_mib", self.memory_mib != before.memory_mib),
            ("[status]", self.status_socket != before.status_socket),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(key, _)| key).collect()
    }
}
