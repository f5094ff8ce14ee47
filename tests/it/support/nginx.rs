//! A real nginx in front of the relay.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::tools::{self, Tool};

const NGINX: Tool = Tool::new(&["nginx"], "nginx");

/// A reverse proxy. It ends with the test, whatever happens.
pub(crate) struct Nginx(Child);

/// The program. `None` skips the test.
pub(crate) fn nginx() -> Option<PathBuf> {
    tools::find(&NGINX)
}

impl Nginx {
    /// Starts `program` with this `server` in its configuration. All files are in `folder`.
    pub(crate) fn start(program: &Path, folder: &Path, server: &str) -> Self {
        let file = folder.join("nginx.conf");
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\nhttp {{\n  access_log off;\n  \
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; \
             scgi_temp_path scgi;\n{server}\n}}\n"
        );
        fs::write(&file, config).unwrap();
        // The pipe is closed when this process ends in any way.
        let script = r#""$@" & nginx=$!; read -r _; kill -TERM $nginx; wait $nginx"#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(program).arg("-p").arg(folder).arg("-c").arg(&file);
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        _ = self.0.wait();
    }
}
