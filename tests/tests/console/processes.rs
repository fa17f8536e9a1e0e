//! The console as a process of its own.

use std::net::TcpStream;

use anyhow::{Result, ensure};
use end_to_end::dev::Dev;
use end_to_end::process::{Process, cortex, until};

use crate::demo::PATIENCE;
use crate::direct::{ask, sign_in};

#[tokio::test(flavor = "multi_thread")]
async fn it_runs_as_a_role_of_its_own_and_says_so_where_the_registry_is_gone() -> Result<()> {
    let dev = Dev::start(false)?;
    let logs = tempfile::tempdir()?;
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("127.0.0.1:{port}");
    let mut command = cortex()?;
    command.args(["console", "--console-listen", &listen, "--registry-url", dev.endpoint("registry")?]);
    let _console = Process::start("console", command, logs.path())?;
    let console = format!("http://{listen}");
    until("the console to listen", PATIENCE, || Ok(TcpStream::connect(&listen).is_ok()))?;
    let cookie = sign_in(&console, &dev.secret("demo.token")?)?;
    let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
    ensure!(page.status == 200 && page.body.contains("Demo events"), "{}", page.body);
    drop(dev);
    until("the page to say so", PATIENCE, || {
        let page = ask(&console, "GET", "/accounts/demo/sources", &[("Cookie", &cookie)], "")?;
        Ok(page.status == 503 && page.body.contains("Cortex cannot be reached at the moment"))
    })
}
