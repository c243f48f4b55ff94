//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Settings;
use crate::{Application, cases, channels, feeds, print_bridge, replay, rule_files, telemetry};

/// Real-time operations center for service halls 大厅管家
#[derive(Parser)]
#[command(name = "hallkeeper", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server 启动服务
    Serve {
        /// Settings file; the environment (HALLKEEPER__SECTION__KEY) wins over it
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Add a sample hall that replays a recorded office day, for ever
        #[arg(long)]
        demo: bool,
        /// Seconds of the recorded day per second [default: demo.speed]
        #[arg(long, value_name = "N", requires = "demo")]
        speed: Option<f64>,
    },
    /// Feed a recorded day of arrivals through a hall of a running server 回放取号记录
    Replay(replay::Options),
    /// Take in what another system has recorded 导入历史数据
    Import {
        #[command(subcommand)]
        what: Import,
    },
    /// List the cases open, near due or overdue at an instant 查询某一时刻的办件
    Cases(cases::at::Options),
    /// Let a kiosk's page print on the printer of its own machine 取号机打印桥
    PrintBridge(print_bridge::Options),
    /// Check, test and try rules of the alert desk 预警规则
    Rules {
        #[command(subcommand)]
        action: rule_files::Action,
    },
    /// Print every setting with its default and meaning 显示默认设置
    Settings,
}

#[derive(Subcommand)]
enum Import {
    /// A log of cases: one row per step 办件
    Cases(cases::import::Options),
    /// An access log: one line per call 接口访问日志
    Calls(channels::import::Options),
    /// A CSV file: one record per row 数据记录
    Records(feeds::import::Options),
}

/// Why a command ended badly, which its exit code tells.
pub enum Failure {
    /// It failed: exit code 1.
    Failed(anyhow::Error),
    /// The call or its input cannot be: exit code 2.
    BadInput(String),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::from(2)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(error)) => {
            eprintln!("hallkeeper: {error:#}");
            ExitCode::FAILURE
        }
        Err(Failure::BadInput(message)) => {
            eprintln!("hallkeeper: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve {
            config,
            demo,
            speed,
        } => {
            let mut settings = Settings::load(config.as_deref())
                .map_err(|error| Failure::BadInput(format!("{error:#}")))?;
            if let Some(speed) = speed {
                if !(0.1..=600.0).contains(&speed) {
                    return Err(Failure::BadInput(
                        "--speed must lie between 0.1 and 600".to_owned(),
                    ));
                }
                settings.demo.speed = speed;
            }
            telemetry::start(&settings.log.filter)?;
            actix_web::rt::System::new().block_on(serve(settings, demo))
        }
        Command::Replay(options) => actix_web::rt::System::new().block_on(replay::run(options)),
        Command::Import {
            what: Import::Cases(options),
        } => actix_web::rt::System::new().block_on(cases::import::run(options)),
        Command::Import {
            what: Import::Calls(options),
        } => actix_web::rt::System::new().block_on(channels::import::run(options)),
        Command::Import {
            what: Import::Records(options),
        } => actix_web::rt::System::new().block_on(feeds::import::run(options)),
        Command::Cases(options) => actix_web::rt::System::new().block_on(cases::at::run(options)),
        Command::PrintBridge(options) => {
            actix_web::rt::System::new().block_on(print_bridge::run(options))
        }
        Command::Rules { action } => actix_web::rt::System::new().block_on(rule_files::run(action)),
        Command::Settings => {
            print!("{}", crate::config::DEFAULTS);
            Ok(())
        }
    }
}

async fn serve(settings: Settings, with_demo: bool) -> Result<(), Failure> {
    // As many as the machine allows: each screen takes two descriptors.
    if let Err(cause) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%cause, "the limit of open files was not raised");
    }
    let application = Application::build(settings, with_demo).await?;
    let base = format!("http://{}", application.address());
    println!("listening on {base}");
    if let Some(password) = &application.first_password {
        println!("first start: sign in at {base}/ as admin with the one-time password {password}");
        println!("首次启动：请用账号 admin 和一次性密码 {password} 登录 {base}/");
    }
    if let Some(guide) = application.start_demo().await? {
        println!("{guide}");
    }
    application.run_until_stopped().await?;
    Ok(())
}
