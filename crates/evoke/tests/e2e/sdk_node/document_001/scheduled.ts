export async function dailyCleanup() {
  // Delete old sessions
  await db.collection("sessions").where("expiresAt", "<", new Date()).delete();

  // Send daily report
  const stats = await generateDailyStats();
  await sendReport(stats);
}
