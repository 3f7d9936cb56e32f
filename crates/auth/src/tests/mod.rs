mod foreign;
mod locks;
mod mails;
mod sessions;
mod signing;
mod world;
