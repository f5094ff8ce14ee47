//! The process itself, as Prometheus' own libraries tell of it. Read from `/proc`, so that there is nothing
//! elsewhere; a figure that cannot be read is left out.

use std::fs;

use prometheus_client::{
    metrics::{counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

/// `USER_HZ`: the same on every architecture that Linux has by now.
const TICKS_A_SECOND: f64 = 100.0;

/// What the kernel says of a process.
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
    /// This process, now.
    pub(super) fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let mut process = Self::parse(
            &text("/proc/self/stat"),
            &text("/proc/stat"),
            &text("/proc/self/status"),
            &text("/proc/self/limits"),
        );
        // One of them is for this look.
        let count = fs::read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1));
        process.open_fds = count.and_then(|count| u64::try_from(count).ok());
        process
    }

    fn parse(stat: &str, system: &str, status: &str, limits: &str) -> Self {
        // The program's name may hold spaces and brackets; what follows it does not.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // Numbered as in proc(5), where the state, the first one here, is 3.
        let ticks = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        let seconds = |number| ticks(number).map(|ticks| ticks / TICKS_A_SECOND);
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
            let help = "CPU time that the process used";
            registry.register_with_unit("process_cpu", help, Unit::Seconds, ConstCounter::new(seconds));
        }
        if let Some(at) = self.start_time_seconds {
            let help = "When the process started, since 1970";
            registry.register_with_unit("process_start_time", help, Unit::Seconds, ConstGauge::new(at));
        }
        let memory = [
            ("process_resident_memory", "Memory that the process has in RAM", self.resident_memory_bytes),
            ("process_virtual_memory", "Addresses that the process has mapped", self.virtual_memory_bytes),
        ];
        for (name, help, value) in memory {
            if let Some(bytes) = value {
                registry.register_with_unit(name, help, Unit::Bytes, ConstGauge::new(bytes));
            }
        }
        let files = [
            ("process_open_fds", "Open files and connections", self.open_fds),
            ("process_max_fds", "The most files and connections that may be open", self.max_fds),
        ];
        for (name, help, value) in files {
            if let Some(count) = value {
                registry.register(name, help, ConstGauge::new(count));
            }
        }
    }
}

/// The first word that follows `key` at the beginning of a line.
fn word_after<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_understood() {
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
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(Process::parse("", "", "", "Max open files unlimited"), Process::default());
    }
}
