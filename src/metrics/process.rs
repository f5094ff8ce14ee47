//! Standard process metrics, read from `/proc`. A figure that cannot be read is left out, so systems without
//! `/proc` export none.

use std::fs;

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

/// `USER_HZ`. It is 100 on all architectures that Linux supports.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Process {
    cpu_seconds: Option<f64>,
    start_time_seconds: Option<f64>,
    virtual_memory_bytes: Option<u64>,
    resident_memory_bytes: Option<u64>,
    open_fds: Option<u64>,
    max_fds: Option<u64>,
}

impl Process {
    /// Reads the figures of this process.
    pub(super) fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let mut process = Self::parse(
            &text("/proc/self/stat"),
            &text("/proc/stat"),
            &text("/proc/self/status"),
            &text("/proc/self/limits"),
        );
        // One descriptor belongs to this read itself.
        let count = fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1));
        process.open_fds = count.and_then(|count| u64::try_from(count).ok());
        process
    }

    fn parse(stat: &str, system: &str, status: &str, limits: &str) -> Self {
        // The program name may contain spaces and parentheses; the fields after it do not.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // Fields have the numbers of proc(5). The first field after the name, the state, has number 3.
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let seconds = |number| ticks(number).map(|ticks| ticks / TICKS_PER_SECOND);
        let booted_at = word_after(system, "btime ").and_then(|at| at.parse::<f64>().ok());
        let kibibytes = |key| word_after(status, key)?.parse::<u64>().ok().map(|count| count * 1024);
        Self {
            cpu_seconds: seconds(14).zip(seconds(15)).map(|(user, system)| user + system),
            start_time_seconds: booted_at.zip(seconds(22)).map(|(booted, after)| booted + after),
            virtual_memory_bytes: kibibytes("VmSize:"),
            resident_memory_bytes: kibibytes("VmRSS:"),
            open_fds: None,
            max_fds: word_after(limits, "Max open files").and_then(|soft| soft.parse().ok()),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        if let Some(seconds) = self.cpu_seconds {
            let help = "CPU time of the process";
            registry.register_with_unit("process_cpu", help, Unit::Seconds, ConstCounter::new(seconds));
        }
        if let Some(at) = self.start_time_seconds {
            let help = "Unix time of the start of the process";
            registry.register_with_unit("process_start_time", help, Unit::Seconds, ConstGauge::new(at));
        }
        let memory = [
            ("process_resident_memory", "Resident memory of the process", self.resident_memory_bytes),
            ("process_virtual_memory", "Virtual memory of the process", self.virtual_memory_bytes),
        ];
        for (name, help, value) in memory {
            if let Some(bytes) = value {
                registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(bytes));
            }
        }
        let files = [
            ("process_open_fds", "Open file descriptors, including connections", self.open_fds),
            ("process_max_fds", "Limit of open file descriptors", self.max_fds),
        ];
        for (name, help, value) in files {
            if let Some(count) = value {
                registry.register(name, help, ConstGauge::new(count));
            }
        }
    }
}

/// The first word after `key` on the line that starts with `key`.
fn word_after<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_figures_are_parsed() {
        let stat =
            "7 (a) (b) S 1 7 7 0 -1 4194304 900 0 0 0 250 50 0 0 20 0 5 0 4200 123 45 18446744073709551615";
        let limits = "Limit Soft Limit Hard Limit Units\nMax open files            1024    524288    files\n";
        let process = Process::parse(
            stat,
            "cpu 1 2\nbtime 1700000000\n",
            "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t    1024 kB\n",
            limits,
        );
        let expected = Process {
            cpu_seconds: Some(3.0),
            start_time_seconds: Some(1_700_000_042.0),
            virtual_memory_bytes: Some(2 << 20),
            resident_memory_bytes: Some(1 << 20),
            open_fds: None,
            max_fds: Some(1024),
        };
        assert_eq!(process, expected);
    }

    #[test]
    fn unreadable_figures_are_left_out() {
        assert_eq!(Process::parse("", "", "", "Max open files unlimited"), Process::default());
    }
}
