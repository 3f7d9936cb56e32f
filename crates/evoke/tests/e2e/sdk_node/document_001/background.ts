export async function onUserCreate(event: DatabaseEvent) {
  const { data, metadata } = event;

  // Send welcome email
  await sendEmail({
    to: data.email,
    subject: "Welcome!",
    template: "welcome",
    data: { name: data.name },
  });

  // Create user profile
  await db.collection("profiles").create({
    userId: metadata.documentId,
    createdAt: new Date(),
  });
}
